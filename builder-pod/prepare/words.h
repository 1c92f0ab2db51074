// What prepare tells people: durations and sizes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::prepare {

class Stopwatch {
 public:
  Millis elapsed() const {
    return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - start_);
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// `1.2 s`
std::string seconds(Millis duration);
/// `34 B`, `5.1 kB`, `670.0 MB`
std::string byteSize(std::int64_t bytes);
/// One line that cannot steer a terminal: control characters become `?`.
std::string printable(std::string_view text);

}  // namespace stagewright::prepare
