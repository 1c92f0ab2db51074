#include "builder-pod/stage/process_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "builder-pod/stage/child.h"

namespace stagewright::stage {

namespace {

constexpr int kReapMillis =
    500;  // orphans of a step become our children: they are reaped at least this often

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> makePipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) {
    return systemError("pipe", "", errno);
  }
  return Pipe{Fd(fds[0]), Fd(fds[1])};
}

/// One running step and what is still open of it.
class Child {
 public:
  Child(pid_t pid, Fd output, Fd report)
      : pid_(pid), output_(std::move(output)), report_(std::move(report)) {
    process_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
  }

  /// Collects every dead child; remembers ours. True once ours is gone.
  bool reap() {
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(isInit() ? -1 : pid_, &status, WNOHANG);
      if (pid == pid_) {
        status_ = status;
        gone_ = true;
      }
      if (pid <= 0 || !isInit()) {
        return gone_;
      }
    }
  }

  /// False at the end of the output.
  bool readOutput(const OutputSink& sink) {
    char buffer[32 * 1024];
    for (;;) {
      const ssize_t n = ::read(output_.get(), buffer, sizeof buffer);
      if (n > 0) {
        sink(std::string_view(buffer, static_cast<std::size_t>(n)));
      } else if (n == 0 || errno != EINTR) {
        return n < 0 && errno == EAGAIN;
      }
    }
  }

  /// Sleeps until something happens or `millis` have passed. A stop and the child's end both wake
  /// it.
  void wait(int millis, const Stop& stop, bool outputOpen, StepService* service) const {
    std::vector<pollfd> fds = {{stop.fd(), POLLIN, 0},
                               {process_.get(), POLLIN, 0},
                               {outputOpen ? output_.get() : -1, POLLIN, 0}};
    if (service != nullptr) {
      service->addTo(fds);
    }
    const int ready = ::poll(fds.data(), fds.size(), process_ ? millis : std::min(millis, 20));
    if (ready > 0 && service != nullptr) {
      service->serve(fds);
    }
  }

  /// Kill all, reap all: in this order, and before anybody looks at the tree (docs: stage
  /// executor, 5.1). A fork that races with kill(-1) is lost by the child, because its parent has a
  /// pending signal; the loop is for late orphans.
  void killEverything() {
    if (!isInit()) {
      ::kill(pid_, SIGKILL);  // it may not have a group of its own yet
      ::kill(-pid_, SIGKILL);
      while (!gone_ && ::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
      }
      gone_ = true;
      return;
    }
    for (;;) {
      ::kill(-1, SIGKILL);
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, 0);
      if (pid == pid_) {
        status_ = status;
        gone_ = true;
      }
      if (pid < 0 && errno == ECHILD) {
        return;
      }
    }
  }

  int status() const { return status_; }

  /// What the child sent if it never became the program.
  std::optional<ChildImage::Failure> failure() const {
    ChildImage::Failure failure;
    const ssize_t n = ::read(report_.get(), &failure, sizeof failure);
    return n == sizeof failure ? std::optional(failure) : std::nullopt;
  }

 private:
  static bool isInit() { return ::getpid() == 1; }

  pid_t pid_;
  Fd output_;
  Fd report_;
  Fd process_;
  int status_ = 0;
  bool gone_ = false;
};

Result<Child> start(const RunRequest& request) {
  TRY(Pipe output, makePipe());
  TRY(Pipe report, makePipe());
  const Fd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!input) {
    return systemError("open", "/dev/null", errno);
  }
  const ChildImage image(request);
  const pid_t pid = ::fork();
  if (pid < 0) {
    return systemError("fork", "", errno);
  }
  if (pid == 0) {
    image.become(input.get(), output.write.get(), report.write.get());
  }
  return Child(pid, std::move(output.read), std::move(report.read));
}

int remaining(std::optional<SteadyPoint> deadline) {
  if (!deadline) {
    return kReapMillis;
  }
  const auto left =
      std::chrono::duration_cast<Millis>(*deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left + 1, 0, kReapMillis));
}

/// Until the step's first process ends, the time is over or a stop is requested.
std::optional<RunOutcome::Kind> await(Child& child, const OutputSink& output,
                                      std::optional<SteadyPoint> deadline, const Stop& stop,
                                      StepService* service) {
  bool outputOpen = true;
  while (!child.reap()) {
    if (stop.requested()) {
      return RunOutcome::Kind::kStopped;
    }
    if (deadline && std::chrono::steady_clock::now() >= *deadline) {
      return RunOutcome::Kind::kTimedOut;
    }
    child.wait(remaining(deadline), stop, outputOpen, service);
    outputOpen = outputOpen && child.readOutput(output);
  }
  return std::nullopt;
}

RunOutcome outcomeOf(const Child& child, const RunRequest& request) {
  RunOutcome outcome;
  if (const auto failure = child.failure()) {
    outcome.kind = RunOutcome::Kind::kNotStarted;
    outcome.exitCode = ChildImage::exitCodeOf(*failure);
    outcome.message = ChildImage::describe(*failure, request);
  } else if (WIFSIGNALED(child.status())) {
    outcome.kind = RunOutcome::Kind::kKilled;
    outcome.signal = WTERMSIG(child.status());
    outcome.exitCode = 128 + outcome.signal;
  } else {
    outcome.exitCode = WEXITSTATUS(child.status());
  }
  return outcome;
}

}  // namespace

Result<RunOutcome> ProcessRunner::run(const RunRequest& request, const OutputSink& output,
                                      std::optional<SteadyPoint> deadline, const Stop& stop) {
  const std::int64_t killsBefore = memory_.kills();
  TRY(Child child, start(request));
  const auto interrupted = await(child, output, deadline, stop, request.service);
  child.killEverything();
  child.readOutput(output);
  RunOutcome outcome = outcomeOf(child, request);
  if (interrupted) {
    outcome.kind = *interrupted;
  }
  // Also when it was a grandchild: the shell then reports a failure of its own making.
  outcome.outOfMemory = !outcome.succeeded() && memory_.kills() > killsBefore;
  if (outcome.outOfMemory) {
    outcome.memoryLimit = memory_.limit();
  }
  return outcome;
}

}  // namespace stagewright::stage
