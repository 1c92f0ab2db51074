// What a prepare pod says: lines for people and sealed frames for the operator, in one order on
// standard output, and the termination message.
#pragma once

#include <string>

#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/plan/report.h"

namespace stagewright::prepare {

class PodVoice {
 public:
  struct Identity {
    std::string runId;
    std::string runKey;  ///< 32 raw bytes
    int attempt = 1;
  };

  /// `out` is borrowed.
  PodVoice(int out, Identity identity) : out_(out), identity_(std::move(identity)) {}

  /// One line; control characters are replaced.
  void tell(std::string_view line);
  /// All lines so far, at most 1 MiB of them.
  const std::string& told() const { return told_; }
  /// `type` and `seq` are added. kInvalid if the frame would be larger than the operator reads (128
  /// KiB).
  Status sendFrame(std::string_view type, Json frame);
  /// The failure as a frame and as termination message in the file `path`.
  void sendFailure(const plan::Failure& failure, const std::string& path);

 private:
  std::string key() const;

  int out_;
  Identity identity_;
  int sequence_ = 0;
  std::string told_;
};

}  // namespace stagewright::prepare
