// Sealed frames on standard output, and the termination message.
#pragma once

#include <string>

#include "lib/base/guarded.h"
#include "lib/base/json.h"
#include "lib/base/seal.h"
#include "lib/plan/report.h"

namespace stagewright::publish {

/// Numbers frames from 1 and writes each with one write(2). Thread-safe.
class FrameWriter {
 public:
  FrameWriter(int fd, std::string key, SealScope scope)
      : fd_(fd), key_(std::move(key)), scope_(std::move(scope)) {}

  void write(const Json& frame);

 private:
  int fd_;
  std::string key_;
  SealScope scope_;
  Guarded<int> sequence_;
};

}  // namespace stagewright::publish
