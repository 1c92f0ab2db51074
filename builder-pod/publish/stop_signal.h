// SIGTERM and SIGINT as a stop request.
#pragma once

#include <stop_token>
#include <thread>

#include "lib/base/fd.h"

namespace stagewright::publish {

/// Make it first in main(), before any other thread: it blocks both signals in this thread and all
/// that come after. A blocked signal also reaches PID 1, which the kernel otherwise spares.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  void runWait();

  std::stop_source source_;
  Fd signals_;
  Fd ended_;  ///< an eventfd that wakes the thread at destruction
  std::jthread thread_;
};

}  // namespace stagewright::publish
