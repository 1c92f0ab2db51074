#include "local/rootless.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "lib/base/fd.h"
#include "lib/base/file.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kRangesLimit = 1024 * 1024;

struct Gate {
  Fd read;
  Fd write;
};

Result<Gate> makeGate() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return systemError("pipe", "namespace", errno);
  }
  return Gate{Fd(ends[0]), Fd(ends[1])};
}

std::string userName() {
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : "";
}

/// Every word is a number or a path of ours.
Status runTool(const std::string& tool, std::vector<std::string> words) {
  words.insert(words.begin(), tool);
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) {
    return systemError("fork", tool, errno);
  }
  if (pid == 0) {
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return denied(tool + " is not installed (package uidmap)");
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ok() : Status(denied(tool + " failed"));
}

Result<IdRange> loadRange(const std::string& path, uid_t id) {
  const auto text = loadFile(path, kRangesLimit);
  auto range = findIdRange(text.value_or(""), userName(), std::to_string(id));
  return range ? std::move(range) : denied(path + " has no range for this user");
}

Status mapIds(pid_t child) {
  TRY(const IdRange users, loadRange("/etc/subuid", ::getuid()));
  TRY(const IdRange groups, loadRange("/etc/subgid", ::getuid()));
  const std::string pid = std::to_string(child);
  CHECK_OK(runTool("newuidmap", {pid, "0", std::to_string(::getuid()), "1", "1", users.first, users.count}));
  return runTool("newgidmap", {pid, "0", std::to_string(::getgid()), "1", "1", groups.first, groups.count});
}

/// Waits for the child; signals that ask to stop are the child's business. SIGINT of a terminal reaches it by itself, a
/// second one does no harm.
[[noreturn]] void waitFor(pid_t child) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
    sigaddset(&set, number);
  }
  for (;;) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) {
      ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    const int number = ::sigwaitinfo(&set, nullptr);
    if (number > 0 && number != SIGCHLD) {
      static_cast<void>(::kill(child, number));
    }
  }
}

void blockSignals(int how) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
    sigaddset(&set, number);
  }
  static_cast<void>(::sigprocmask(how, &set, nullptr));
}

/// In the child: the namespace, then root once the parent has mapped the ids. The parent says one byte, or nothing.
Status enterNamespace(const Fd& ready, const Fd& go) {
  static_cast<void>(::prctl(PR_SET_PDEATHSIG, SIGKILL));
  const bool made = ::unshare(CLONE_NEWUSER) == 0;
  const int error = errno;
  char byte = made ? 'y' : 'n';
  if (::write(ready.get(), &byte, 1) != 1 || !made) {
    return made ? denied("the parent process is gone") : Status(systemError("unshare", "user namespace", error));
  }
  if (::read(go.get(), &byte, 1) != 1) {
    return cancelled("no ids are mapped");  // the parent has said why
  }
  if (::setresgid(0, 0, 0) != 0 || ::setgroups(0, nullptr) != 0 || ::setresuid(0, 0, 0) != 0) {
    return systemError("setresuid", "0", errno);
  }
  // Both are undone by the change of ids.
  static_cast<void>(::prctl(PR_SET_PDEATHSIG, SIGKILL));
  static_cast<void>(::prctl(PR_SET_DUMPABLE, 1));
  return ok();
}

}  // namespace

Result<IdRange> findIdRange(const std::string& text, const std::string& name, const std::string& id) {
  const auto isNumber = [](const std::string& word) {
    return !word.empty() && word.size() < 11 && word.find_first_not_of("0123456789") == std::string::npos;
  };
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const std::string owner = line.substr(0, first);
    const IdRange range{line.substr(first + 1, second - first - 1), line.substr(second + 1)};
    if (!owner.empty() && (owner == name || owner == id) && isNumber(range.first) && isNumber(range.count) &&
        range.count != "0") {
      return range;
    }
  }
  return notFound("no range of ids for " + name);
}

Status becomeRootlessRoot() {
  TRY(Gate ready, makeGate());
  TRY(Gate go, makeGate());
  blockSignals(SIG_BLOCK);
  const pid_t child = ::fork();
  if (child < 0) {
    return systemError("fork", "user namespace", errno);
  }
  if (child == 0) {
    blockSignals(SIG_UNBLOCK);
    ready.read.reset();
    go.write.reset();
    return enterNamespace(ready.write, go.read);
  }
  ready.write.reset();
  go.read.reset();
  char byte = 0;
  const bool isReady = ::read(ready.read.get(), &byte, 1) == 1 && byte == 'y';
  const Status mapped = isReady ? mapIds(child) : ok();
  if (!mapped) {
    go.write.reset();  // the child ends
    static_cast<void>(::waitpid(child, nullptr, 0));
    blockSignals(SIG_UNBLOCK);
    return mapped;
  }
  if (isReady) {
    static_cast<void>(!::write(go.write.get(), &byte, 1));
  }
  waitFor(child);
}

bool isRootless() {
  static const bool kIs = [] {
    const auto map = loadFile("/proc/self/uid_map", 4096);
    return map && map->find("4294967295") == std::string::npos;
  }();
  return kIs;
}

}  // namespace stagewright::local
