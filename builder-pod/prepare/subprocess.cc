#include "builder-pod/prepare/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "lib/base/fd.h"

namespace stagewright::prepare {

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> makePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return systemError("pipe2", "", errno);
  }
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

std::vector<char*> pointersTo(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& s : strings) {
    pointers.push_back(const_cast<char*>(s.c_str()));  // execve's signature, it does not write
  }
  pointers.push_back(nullptr);
  return pointers;
}

/// Owner of the two objects that posix_spawn wants initialised and destroyed.
class SpawnOptions {
 public:
  SpawnOptions() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  SpawnOptions(const SpawnOptions&) = delete;
  SpawnOptions& operator=(const SpawnOptions&) = delete;
  ~SpawnOptions() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  void set(const std::string& directory, int out, int err) {
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, out, 1);
    posix_spawn_file_actions_adddup2(&actions_, err, 2);
    posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str());
    sigset_t none;
    sigset_t handled;
    sigemptyset(&none);
    sigemptyset(&handled);
    sigaddset(&handled, SIGPIPE);
    sigaddset(&handled, SIGTERM);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &handled);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

Result<pid_t> spawn(const Program& program, int out, int err) {
  SpawnOptions options;
  options.set(program.directory, out, err);
  const std::vector<char*> argv = pointersTo(program.argv);
  const std::vector<char*> env = pointersTo(program.env);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], options.actions(), options.attributes(),
                                   argv.data(), env.data());
  if (error != 0) {
    return systemError("start", program.argv[0], error);
  }
  return pid;
}

/// Reads what is there; false at the end of the stream.
bool drain(int fd, std::string& into, std::size_t limit) {
  std::array<char, 16384> buffer;
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  if (n < 0) {
    return errno == EINTR || errno == EAGAIN;
  }
  into.append(buffer.data(), std::min(static_cast<std::size_t>(n), limit - into.size()));
  return n > 0;
}

/// Collects both streams until their end or the deadline; false at the deadline.
bool collect(Fd& out, Fd& err, ProgramEnd& end, std::size_t limit,
             SteadyClock::time_point deadline) {
  while (out || err) {
    const auto left = std::chrono::duration_cast<Millis>(deadline - SteadyClock::now()).count();
    if (left <= 0) {
      return false;
    }
    pollfd fds[2] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}};
    if (::poll(fds, 2, static_cast<int>(std::min<long long>(left, 60'000))) < 0 && errno != EINTR) {
      return false;
    }
    if (fds[0].revents != 0 && !drain(out.get(), end.out, limit)) {
      out.reset();
    }
    if (fds[1].revents != 0 && !drain(err.get(), end.err, limit)) {
      err.reset();
    }
  }
  return true;
}

int waitFor(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<ProgramEnd> runProgram(const Program& program) {
  TRY(Pipe out, makePipe());
  TRY(Pipe err, makePipe());
  const auto deadline = SteadyClock::now() + program.timeout;
  TRY(const pid_t pid, spawn(program, out.write.get(), err.write.get()));
  out.write.reset();
  err.write.reset();
  ProgramEnd end;
  end.timedOut = !collect(out.read, err.read, end, program.outputLimit, deadline);
  if (end.timedOut) {
    ::kill(-pid, SIGKILL);
  }
  end.exitCode = waitFor(pid);
  ::kill(-pid, SIGKILL);  // helpers that outlived it
  return end;
}

}  // namespace stagewright::prepare
