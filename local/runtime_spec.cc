#include "local/runtime_spec.h"

#include <nlohmann/json.hpp>

namespace stagewright::local {

namespace {

const std::vector<std::string>& defaultCapabilities() {
  static const std::vector<std::string> kNames{
      "CAP_CHOWN",  "CAP_DAC_OVERRIDE",     "CAP_FOWNER",  "CAP_FSETID",     "CAP_KILL",  "CAP_SETGID",      "CAP_SETUID",
      "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP"};
  return kNames;
}

const std::vector<std::string>& allCapabilities() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names = defaultCapabilities();
    for (const char* more :
         {"CAP_DAC_READ_SEARCH", "CAP_LINUX_IMMUTABLE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
          "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT",
          "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_LEASE", "CAP_AUDIT_CONTROL",
          "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ"}) {
      names.emplace_back(more);
    }
    return names;
  }();
  return kNames;
}

Json makeProcess(const ContainerRequest& request) {
  const stage::RunRequest& process = request.process;
  const auto& names = request.insecure ? allCapabilities() : defaultCapabilities();
  Json groups = Json::array();
  for (const std::uint32_t group : process.identity.groups) {
    groups.push_back(group);
  }
  return {{"terminal", false},
          {"user",
           {{"uid", process.identity.uid},
            {"gid", process.identity.gid},
            {"umask", 022},
            {"additionalGids", std::move(groups)}}},
          {"args", process.argv},
          {"env", process.env},
          {"cwd", process.workdir},
          {"capabilities", {{"bounding", names}, {"effective", names}, {"permitted", names}}},
          {"noNewPrivileges", false}};
}

Json makeMount(const std::string& type, const std::string& source, const std::string& target, std::vector<std::string> options) {
  return {{"type", type}, {"source", source}, {"destination", target}, {"options", std::move(options)}};
}

Json makeStepMount(const ContainerMount& mount) {
  if (mount.type == "tmpfs") {
    std::vector<std::string> options{"nosuid", "nodev", "mode=1777"};
    if (mount.size > 0) {
      options.push_back("size=" + std::to_string(mount.size));
    }
    return makeMount("tmpfs", "tmpfs", mount.target, std::move(options));
  }
  return makeMount("bind", mount.source, mount.target, {"rbind", mount.readOnly ? "ro" : "rw"});
}

/// Without device rules, device files that a step makes are kept from working by `nodev`, and those that it needs come in
/// as mounts of their own.
void addDevices(Json& mounts, const Runtime& runtime) {
  std::vector<std::string> options{"nosuid", "strictatime", "mode=755", "size=65536k"};
  if (!runtime.hasCgroup()) {
    options.emplace_back("nodev");
  }
  mounts.push_back(makeMount("tmpfs", "tmpfs", "/dev", std::move(options)));
  if (!runtime.hasCgroup()) {
    for (const char* device : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}) {
      mounts.push_back(makeMount("bind", device, device, {"bind"}));
    }
  }
  mounts.push_back(makeMount("devpts", "devpts", "/dev/pts",
                             {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
  mounts.push_back(makeMount("tmpfs", "shm", "/dev/shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
  mounts.push_back(makeMount("mqueue", "mqueue", "/dev/mqueue", {"nosuid", "noexec", "nodev"}));
}

Json makeMounts(const ContainerRequest& request, const Runtime& runtime) {
  Json mounts = Json::array();
  mounts.push_back(makeMount("proc", "proc", "/proc", {"nosuid", "noexec", "nodev"}));
  addDevices(mounts, runtime);
  if (runtime.isRootless && !request.process.networkNone) {
    // The network namespace is the machine's, so the kernel gives us no sysfs of it.
    mounts.push_back(makeMount("bind", "/sys", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"}));
  } else {
    mounts.push_back(makeMount("sysfs", "sysfs", "/sys", {"nosuid", "noexec", "nodev", "ro"}));
  }
  mounts.push_back(makeMount("bind", request.resolvFile, "/etc/resolv.conf", {"rbind", "ro"}));
  mounts.push_back(makeMount("bind", request.hostsFile, "/etc/hosts", {"rbind", "ro"}));
  for (const ContainerMount& mount : request.mounts) {
    mounts.push_back(makeStepMount(mount));
  }
  return mounts;
}

Json makeDeviceRules() {
  const auto allow = [](const char* type, Json major, Json minor, const char* access) {
    return Json{{"allow", true}, {"type", type}, {"major", std::move(major)}, {"minor", std::move(minor)}, {"access", access}};
  };
  Json rules = Json::array({{{"allow", false}, {"access", "rwm"}}});
  rules.push_back({{"allow", true}, {"type", "c"}, {"access", "m"}});
  rules.push_back({{"allow", true}, {"type", "b"}, {"access", "m"}});
  for (const int minor : {3, 5, 7, 8, 9}) {
    rules.push_back(allow("c", 1, minor, "rwm"));
  }
  rules.push_back(allow("c", 5, 0, "rwm"));
  rules.push_back(allow("c", 5, 2, "rwm"));
  rules.push_back({{"allow", true}, {"type", "c"}, {"major", 136}, {"access", "rwm"}});
  return rules;
}

Json makeLinux(const ContainerRequest& request, const Runtime& runtime) {
  Json namespaces = Json::array();
  for (const char* type : {"pid", "ipc", "uts", "mount"}) {
    namespaces.push_back({{"type", type}});
  }
  if (request.process.networkNone) {
    namespaces.push_back({{"type", "network"}});
  }
  Json linux{{"namespaces", std::move(namespaces)}};
  if (!request.insecure) {
    linux["maskedPaths"] = {"/proc/acpi",         "/proc/asound",     "/proc/kcore",
                            "/proc/keys",         "/proc/latency_stats", "/proc/timer_list",
                            "/proc/timer_stats",  "/proc/sched_debug", "/proc/scsi",
                            "/sys/firmware",      "/sys/devices/virtual/powercap"};
    linux["readonlyPaths"] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  }
  if (runtime.hasCgroup()) {
    linux["resources"] = {{"devices", makeDeviceRules()}};
  }
  return linux;
}

}  // namespace

Json makeRuntimeSpec(const ContainerRequest& request, const Runtime& runtime) {
  return {{"ociVersion", "1.0.2"},
          {"process", makeProcess(request)},
          {"root", {{"path", request.root}, {"readonly", false}}},
          {"hostname", request.hostName},
          {"mounts", makeMounts(request, runtime)},
          {"linux", makeLinux(request, runtime)}};
}

}  // namespace stagewright::local
