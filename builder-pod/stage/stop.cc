#include "builder-pod/stage/stop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace stagewright::stage {

Result<Stop> Stop::make() {
  Stop stop;
  stop.event_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.event_) {
    return systemError("eventfd", "", errno);
  }
  return stop;
}

void Stop::request() const {
  const std::uint64_t one = 1;
  if (::write(event_.get(), &one, sizeof one) < 0) {
    return;  // full means requested
  }
}

bool Stop::requested() const {
  pollfd p{event_.get(), POLLIN, 0};
  return ::poll(&p, 1, 0) > 0;
}

}  // namespace stagewright::stage
