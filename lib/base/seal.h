// Sealed text: what a pod says about itself, bound to run, role, attempt and kind by an HMAC, so that a RUN step, which
// is root in the container and can write every file there, cannot forge what later pods and the operator act on.
// The key of an attempt is known to its PID 1 (non-dumpable) and to the readers it was given to, never to a step.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright {

/// Who speaks. `role` is "prepare", "publish" or a stage's index in decimal.
struct SealScope {
  std::string runId;
  std::string role;
  int attempt = 1;
};

/// The key of one attempt, derived from the run's key: HMAC(runKey, "attempt-key\n" role "\n" attempt). 32 raw bytes.
/// Whoever holds the run's key (prepare, publish, operator) can derive every attempt's; nobody can go back up.
std::string attemptKey(std::string_view runKey, std::string_view role, int attempt);

/// `kind` separates uses of one key: "plan", "layer", "report", "frame", "termination".
/// A sealed file is two lines: 64 hexadecimal digits of the MAC, then the body (a JSON text without newline).
std::string sealText(std::string_view key, const SealScope& scope, std::string_view kind, std::string_view body);

/// The body, if the seal is right. kDenied for a wrong seal, kInvalid for another shape.
Result<std::string> unsealText(std::string_view key, const SealScope& scope, std::string_view kind,
                               std::string_view text);

/// A frame is one line of a container's log: `##stagewright <mac> <json>`. Lines without a right seal are output of the
/// build, whatever they look like.
inline constexpr std::string_view kFramePrefix = "##stagewright ";
std::string makeFrame(std::string_view key, const SealScope& scope, std::string_view json);
/// The JSON of a frame whose seal is right. kNotFound if the line is no frame, kDenied if the seal is wrong.
Result<std::string> openFrame(std::string_view key, const SealScope& scope, std::string_view line);

}  // namespace stagewright
