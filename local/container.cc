#include "local/container.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/layer/root.h"
#include "local/device_cgroup.h"
#include "local/scratch_file.h"

namespace stagewright::local {

namespace {

constexpr const char* kHybridHierarchy = "/sys/fs/cgroup/unified";

/// What the new process does until it is the runtime: system calls only, since other threads of ours may hold locks.
struct Launch {
  std::vector<char*> argv;
  std::vector<char*> envp;
  int input = -1;
  int output = -1;
  int cgroup = -1;  ///< its cgroup.procs; -1: none

  [[noreturn]] void become() const {
    static_cast<void>(::prctl(PR_SET_PDEATHSIG, SIGKILL));
    if (cgroup >= 0 && ::write(cgroup, "0", 1) != 1) {
      ::_exit(126);
    }
    sigset_t none;
    sigemptyset(&none);
    static_cast<void>(::sigprocmask(SIG_SETMASK, &none, nullptr));
    static_cast<void>(::dup2(input, STDIN_FILENO));
    static_cast<void>(::dup2(output, STDOUT_FILENO));
    static_cast<void>(::dup2(output, STDERR_FILENO));
    // A /proc of the new process namespace; and where version 2 sits beside version 1, crun refuses to start unless it
    // is out of sight (docs: stage executor, section 11). Without root the mount is locked and can only be covered.
    static_cast<void>(::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr));
    if (::umount2(kHybridHierarchy, MNT_DETACH) != 0) {
      static_cast<void>(::mount("none", kHybridHierarchy, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr));
    }
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(126);
  }
};

std::vector<char*> pointersOf(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) {
    out.push_back(text.data());
  }
  out.push_back(nullptr);
  return out;
}

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> makePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return systemError("pipe", "output", errno);
  }
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// The runtime process; killed and reaped at destruction at the latest.
class Process {
 public:
  Process(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) {
      kill();
      static_cast<void>(wait());
    }
  }

  void kill() const { static_cast<void>(::kill(pid_, SIGKILL)); }
  int fd() const { return pidfd_.get(); }
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
  Fd pidfd_;
};

/// Copies output until the process has ended and the pipe is drained. False if it was stopped.
bool pump(const Process& process, int output, int stopFd, const stage::OutputSink& sink) {
  std::string buffer(64 * 1024, '\0');
  bool ended = false;
  while (true) {
    pollfd fds[3] = {{output, POLLIN, 0}, {process.fd(), POLLIN, 0}, {stopFd, POLLIN, 0}};
    const int ready = ::poll(fds, 3, ended ? 0 : -1);
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    if (fds[2].revents != 0) {
      return false;
    }
    if (fds[0].revents != 0) {
      const ssize_t n = ::read(output, buffer.data(), buffer.size());
      if (n > 0) {
        sink(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
        continue;
      }
    }
    // Ended: nobody of the process namespace is left, so what the pipe does not hold now will never come.
    if (ended || (fds[1].revents != 0 && fds[0].revents == 0)) {
      return true;
    }
    ended = fds[1].revents != 0;
    if (fds[0].revents != 0 && !ended) {  // both streams were closed; the process goes on
      output = -1;
    }
  }
}

stage::RunOutcome outcomeOf(int status) {
  stage::RunOutcome outcome;
  outcome.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace

Result<stage::RunOutcome> ContainerRunner::run(const ContainerRequest& request, const stage::OutputSink& output,
                                               std::stop_token stop) {
  const std::string id = "stagewright-" + toHex(randomBytes(8));
  const std::string bundle = state_ + "/" + id;
  CHECK_OK(makeDirectories(bundle, 0700));
  CHECK_OK(saveScratchFile(bundle + "/config.json", dumpJson(makeRuntimeSpec(request, runtime_))));
  std::vector<std::string> arguments{runtime_.path, "--root", state_ + "/runtime"};
  std::optional<DeviceCgroup> devices;
  if (runtime_.kind == Runtime::Kind::kCrun) {
    arguments.emplace_back(runtime_.hasCgroup() ? "--cgroup-manager=cgroupfs" : "--cgroup-manager=disabled");
    TRY(devices, DeviceCgroup::make(id));
  }
  for (std::string word : {std::string("run"), std::string("--bundle"), bundle, id}) {
    arguments.push_back(std::move(word));
  }
  std::vector<std::string> environment{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  TRY(Pipe pipe, makePipe());
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd stopped(::eventfd(0, EFD_CLOEXEC));
  if (!null || !stopped) {
    return systemError("open", "/dev/null", errno);
  }
  const Launch launch{pointersOf(arguments), pointersOf(environment), null.get(), pipe.write.get(),
                      devices ? devices->joinFd() : -1};
  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const pid_t pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof(args)));
  if (pid < 0) {
    return systemError("clone3", runtime_.path, errno);
  }
  if (pid == 0) {
    launch.become();
  }
  Process process(pid, Fd(pidfd));
  pipe.write.reset();
  const std::stop_callback onStop(stop, [&] {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(stopped.get(), &one, sizeof(one)));
  });
  stage::RunOutcome outcome;
  if (pump(process, pipe.read.get(), stopped.get(), output)) {
    outcome = outcomeOf(process.wait());
  } else {
    process.kill();
    static_cast<void>(process.wait());
    outcome.kind = stage::RunOutcome::Kind::kStopped;
  }
  TRY(const Fd state, openDirectory(state_));
  CHECK_OK(layer::removeTree(state.get(), id));
  return outcome;
}

}  // namespace stagewright::local
