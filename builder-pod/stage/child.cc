#include "builder-pod/stage/child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "builder-pod/stage/network_filter.h"

namespace stagewright::stage {

namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view pathOf(const std::vector<std::string>& env) {
  for (const std::string& variable : env) {
    if (variable.starts_with("PATH=")) {
      return std::string_view(variable).substr(5);
    }
  }
  return kDefaultPath;
}

std::vector<std::string> candidatesFor(const std::string& program, std::string_view path) {
  if (program.find('/') != std::string::npos) {
    return {program};
  }
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    const std::string_view directory = path.substr(begin, end - begin);
    out.push_back((directory.empty() ? "." : std::string(directory)) + "/" + program);
    begin = end + 1;
  }
  return out;
}

std::vector<char*> pointersTo(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    out.push_back(text.data());
  }
  out.push_back(nullptr);
  return out;
}

[[noreturn]] void give(int report, ChildImage::Failure::Where where, int error) {
  const ChildImage::Failure failure{where, error};
  // A broken pipe leaves only the exit code, which the parent takes as "not started" too.
  const ssize_t ignored = ::write(report, &failure, sizeof failure);
  (void)ignored;
  ::_exit(127);
}

void resetSignals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    ::sigaction(signal, &action, nullptr);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// The kernel should choose the step, not us, when memory runs out. Raising the score is always
/// permitted.
void volunteerForOomKiller() {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    const ssize_t ignored = ::write(fd, "1000", 4);
    (void)ignored;
    ::close(fd);
  }
}

}  // namespace

ChildImage::ChildImage(const RunRequest& request)
    : workdir_(request.workdir),
      identity_(request.identity),
      groups_(request.identity.groups.begin(), request.identity.groups.end()),
      networkNone_(request.networkNone),
      arguments_(request.argv),
      environment_(request.env) {
  if (!arguments_.empty()) {
    candidates_ = candidatesFor(arguments_.front(), pathOf(environment_));
  }
  argv_ = pointersTo(arguments_);
  envp_ = pointersTo(environment_);
}

// The order is the security property:
void ChildImage::become(int input, int output, int report) const {
  using Where = Failure::Where;
  ::setsid();      // a session and process group of its own, so that no signal of ours hits it by
                   // accident
  resetSignals();  // PID 1 ignores and blocks signals; the step must not inherit that
  if (::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) {
    give(report, Where::kSetup, errno);
  }
  // Every descriptor of ours is close-on-exec already; this holds even if one was forgotten.
  ::syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
  volunteerForOomKiller();
  ::umask(022);
  // The step may reopen /dev/stdout by name: as in other runtimes the pipe belongs to it.
  if (::fchown(output, identity_.uid, identity_.gid) != 0 && errno != EPERM && errno != EINVAL) {
    give(report, Where::kSetup, errno);
  }
  // While still root: USER may name somebody who cannot enter the directory.
  if (::chdir(workdir_.c_str()) != 0) {
    give(report, Where::kWorkdir, errno);
  }
  // Groups before the group, the group before the user: afterwards the right to change them is
  // gone.
  if (::setgroups(groups_.size(), groups_.data()) != 0 ||
      ::setresgid(identity_.gid, identity_.gid, identity_.gid) != 0 ||
      ::setresuid(identity_.uid, identity_.uid, identity_.uid) != 0) {
    give(report, Where::kUser, errno);
  }
  // Last: the filter sets no_new_privs, and nothing after it needs a socket.
  if (networkNone_) {
    if (const int error = installNetworkFilter(); error != 0) {
      give(report, Where::kNetwork, error);
    }
  }
  execute(report);
}

void ChildImage::execute(int report) const {
  int error = ENOENT;
  for (const std::string& candidate : candidates_) {
    struct stat st {};
    if (candidates_.size() > 1 && (::stat(candidate.c_str(), &st) != 0 || S_ISDIR(st.st_mode))) {
      continue;  // a directory of that name in PATH is passed over
    }
    ::execve(candidate.c_str(), argv_.data(), envp_.data());
    if (errno != ENOENT && errno != ENOTDIR) {
      error = errno;
    }
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
      break;
    }
  }
  const bool notFound = error == ENOENT || error == ENOTDIR;
  give(report, notFound ? Failure::Where::kNotFound : Failure::Where::kExec, error);
}

std::string ChildImage::describe(const Failure& failure, const RunRequest& request) {
  const std::string program = request.argv.empty() ? "" : request.argv.front();
  const std::string cause = std::strerror(failure.error);
  switch (failure.where) {
    case Failure::Where::kWorkdir:
      return "cannot enter the working directory " + quoted(request.workdir) + ": " + cause;
    case Failure::Where::kUser:
      return "cannot become user " + std::to_string(request.identity.uid) + ":" +
             std::to_string(request.identity.gid) + ": " + cause;
    case Failure::Where::kNetwork:
      return "cannot cut off the network: " + cause;
    case Failure::Where::kNotFound:
      return program.find('/') == std::string::npos
                 ? "exec: \"" + program + "\": executable file not found in $PATH"
                 : "exec: \"" + program + "\": stat " + program + ": no such file or directory";
    case Failure::Where::kExec:
      return "exec " + program + ": " + cause;
    case Failure::Where::kSetup:
      break;
  }
  return "cannot set up the process: " + cause;
}

int ChildImage::exitCodeOf(const Failure& failure) {
  return failure.where == Failure::Where::kNotFound ? 127 : 126;
}

}  // namespace stagewright::stage
