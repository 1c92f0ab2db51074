#include "lib/base/fd.h"

#include <unistd.h>

namespace stagewright {

void Fd::reset(int fd) {
  if (fd_ >= 0) {
    // EINTR and EIO leave the descriptor closed on Linux; what must not be lost is fsynced before.
    ::close(fd_);
  }
  fd_ = fd;
}

}  // namespace stagewright
