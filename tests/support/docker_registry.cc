#include "tests/support/docker_registry.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "lib/base/file.h"

namespace stagewright::testing {

namespace {

bool onPath(const std::string& program) {
  return std::filesystem::exists("/usr/bin/" + program) ||
         std::filesystem::exists("/usr/local/bin/" + program);
}

std::string configText(const std::string& directory, const DockerRegistry::Options& options) {
  std::string text =
      "version: 0.1\nlog: {level: info, formatter: text, accesslog: {disabled: true}}\n"
      "storage: {filesystem: {rootdirectory: " +
      directory +
      "/data}, delete: {enabled: true}}\n"
      "http: {addr: '127.0.0.1:0', secret: test";
  if (!options.certificate.empty()) {
    text += ", tls: {certificate: " + options.certificate + ", key: " + options.key + "}";
  }
  text += "}\n";
  if (!options.username.empty()) {
    text += "auth: {htpasswd: {realm: test, path: " + directory + "/htpasswd}}\n";
  }
  return text;
}

Status makePasswordFile(const std::string& directory, const DockerRegistry::Options& options) {
  const std::string command = "htpasswd -Bbn -C 4 '" + options.username + "' '" + options.password +
                              "' > '" + directory + "/htpasswd'";
  return std::system(command.c_str()) == 0 ? ok() : Status(internal("htpasswd failed"));
}

/// Reads the log up to `listening on 127.0.0.1:<port>`.
Result<std::string> readAddress(int log) {
  constexpr std::string_view kMark = "listening on ";
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t n = ::read(log, buffer, sizeof buffer);
    if (n <= 0) {
      return internal("docker-registry ended: " + text);
    }
    text.append(buffer, static_cast<std::size_t>(n));
    const std::size_t mark = text.find(kMark);
    const std::size_t end =
        mark == std::string::npos ? mark : text.find_first_of(",\" \n", mark + kMark.size());
    if (end != std::string::npos) {
      return text.substr(mark + kMark.size(), end - mark - kMark.size());
    }
  }
}

}  // namespace

bool DockerRegistry::available() { return onPath("docker-registry") && onPath("htpasswd"); }

Result<DockerRegistry> DockerRegistry::start(const Options& options) {
  DockerRegistry registry;
  std::string pattern = std::filesystem::temp_directory_path() / "registry-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    return systemError("mkdtemp", pattern, errno);
  }
  registry.directory_ = pattern;
  if (!options.username.empty()) {
    CHECK_OK(makePasswordFile(registry.directory_, options));
  }
  const std::string config = registry.directory_ + "/config.yml";
  CHECK_OK(saveFileAtomically(config, configText(registry.directory_, options)));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return systemError("pipe2", "", errno);
  }
  registry.log_ = Fd(ends[0]);
  Fd writeEnd(ends[1]);
  registry.pid_ = ::fork();
  if (registry.pid_ == 0) {
    ::dup2(writeEnd.get(), 1);
    ::dup2(writeEnd.get(), 2);
    ::execlp("docker-registry", "docker-registry", "serve", config.c_str(), nullptr);
    ::_exit(127);
  }
  writeEnd.reset();
  TRY(registry.host_, readAddress(registry.log_.get()));
  // A full pipe would block the registry: what it logs later is read and dropped until it ends.
  std::thread([log = ::fcntl(registry.log_.get(), F_DUPFD_CLOEXEC, 0)] {
    char buffer[4096];
    while (::read(log, buffer, sizeof buffer) > 0) {
    }
    ::close(log);
  }).detach();
  return registry;
}

DockerRegistry::DockerRegistry(DockerRegistry&& other) noexcept
    : directory_(std::move(other.directory_)),
      host_(std::move(other.host_)),
      pid_(std::exchange(other.pid_, -1)),
      log_(std::move(other.log_)) {
  other.directory_.clear();
}

void DockerRegistry::stop() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

DockerRegistry::~DockerRegistry() {
  stop();
  if (!directory_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
}

}  // namespace stagewright::testing
