// A request to stop that both a poll loop and a signal handler can deal with.
#pragma once

#include "lib/base/error.h"
#include "lib/base/fd.h"

namespace stagewright::stage {

/// Once requested, for ever. request() is async-signal-safe and thread-safe.
class Stop {
 public:
  static Result<Stop> make();
  void request() const;
  bool requested() const;
  /// Readable once requested.
  int fd() const { return event_.get(); }

 private:
  Fd event_;
};

}  // namespace stagewright::stage
