#include "builder-pod/prepare/pod_voice.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "builder-pod/prepare/words.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/seal.h"

namespace stagewright::prepare {

namespace {
constexpr std::string_view kRole = "prepare";
constexpr std::size_t kMaxTold = 1024 * 1024;
constexpr std::size_t kMaxFrameBytes = 128 * 1024;
}  // namespace

std::string PodVoice::key() const { return attemptKey(identity_.runKey, kRole, identity_.attempt); }

void PodVoice::tell(std::string_view line) {
  const std::string text = printable(line) + "\n";
  if (told_.size() + text.size() <= kMaxTold) {
    told_ += text;
  }
  // People lose a line if standard output is gone; the build does not depend on it.
  static_cast<void>(writeAll(out_, text, "standard output"));
}

Status PodVoice::sendFrame(std::string_view type, Json frame) {
  frame["type"] = type;
  frame["seq"] = sequence_ + 1;
  const SealScope scope{identity_.runId, std::string(kRole), identity_.attempt};
  const std::string line = makeFrame(key(), scope, dumpJson(frame));
  if (line.size() >= kMaxFrameBytes) {
    return invalid("the " + std::string(type) + " frame has " + std::to_string(line.size()) +
                   " bytes, more than " + std::to_string(kMaxFrameBytes));
  }
  ++sequence_;
  return writeAll(out_, line + "\n", "standard output");
}

void PodVoice::sendFailure(const plan::Failure& failure, const std::string& path) {
  if (const Status sent = sendFrame("failure", plan::toJson(failure)); !sent) {
    log::warn("failure frame not sent", {{"error", sent.error().message}});
  }
  const std::string message =
      plan::makeTermination(key(), identity_.runId, kRole, identity_.attempt, failure);
  const Fd file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (file) {
    static_cast<void>(writeAll(file.get(), message, path));  // the frame says it too
  }
}

}  // namespace stagewright::prepare
