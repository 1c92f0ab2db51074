#include "builder-pod/publish/stop_signal.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>

namespace stagewright::publish {

StopSignal::StopSignal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC));
  ended_ = Fd(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::jthread([this] { runWait(); });
}

StopSignal::~StopSignal() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(ended_.get(), &one, sizeof one));
}

void StopSignal::runWait() {
  pollfd fds[] = {{signals_.get(), POLLIN, 0}, {ended_.get(), POLLIN, 0}};
  while (::poll(fds, 2, -1) < 0) {
  }
  if ((fds[0].revents & POLLIN) != 0) {
    source_.request_stop();
  }
}

}  // namespace stagewright::publish
