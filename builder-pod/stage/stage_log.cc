#include "builder-pod/stage/stage_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/file.h"

namespace stagewright::stage {

namespace {
constexpr std::size_t kMaxLine = 64 * 1024;
constexpr std::size_t kTail = 2048;
constexpr std::size_t kCopyHead = 2 * 1024 * 1024;
constexpr std::size_t kCopyTail = 1024 * 1024;
}  // namespace

StageLog::StageLog(int fd, std::string key, SealScope scope)
    : fd_(fd), key_(std::move(key)), scope_(std::move(scope)) {}

void StageLog::write(std::string_view bytes) {
  if (!writeAll(fd_, bytes, "log")) {
    return;
  }
}

/// For people: into the log and into its copy.
void StageLog::say(std::string_view bytes) {
  write(bytes);
  if (!copy_) {
    return;
  }
  const std::size_t head = std::min(bytes.size(), kCopyHead - copied_);
  if (!writeAll(copy_.get(), bytes.substr(0, head), "copy of the log")) {
    copy_ = Fd();  // a full volume: the steps will tell
    return;
  }
  copied_ += head;
  held_ += bytes.substr(head);
  if (held_.size() > 2 * kCopyTail) {
    leftOut_ += held_.size() - kCopyTail;
    held_.erase(0, held_.size() - kCopyTail);
  }
}

void StageLog::finishCopy() {
  if (!copy_) {
    return;
  }
  const std::size_t over = held_.size() > kCopyTail ? held_.size() - kCopyTail : 0;
  leftOut_ += over;
  const std::string gap =
      leftOut_ == 0 ? "" : "\n[" + std::to_string(leftOut_) + " bytes are left out here]\n";
  // Whoever reads it later sees an end that is missing; the build does not depend on it.
  static_cast<void>(writeAll(copy_.get(), gap + held_.substr(over), "copy of the log"));
  held_.clear();
  copy_ = Fd();
}

void StageLog::output(std::string_view bytes) {
  tail_.append(bytes);
  if (tail_.size() > 4 * kTail) {
    tail_.erase(0, tail_.size() - kTail);
  }
  std::string text;
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::size_t length = std::min({newline, bytes.size(), kMaxLine - column_});
    text += bytes.substr(0, length);
    column_ += length;
    bytes.remove_prefix(length);
    if (length == newline || column_ == kMaxLine) {
      bytes.remove_prefix(length == newline ? 1 : 0);
      text += '\n';
      column_ = 0;
    }
  }
  say(text);
}

void StageLog::endLine() {
  if (column_ > 0) {
    say("\n");
    column_ = 0;
  }
}

void StageLog::line(std::string_view text) {
  endLine();
  say(std::string(text) + "\n");
}

void StageLog::frame(Json json) {
  endLine();
  json["seq"] = ++sequence_;
  write(makeFrame(key_, scope_, dumpJson(json)) + "\n");
}

std::string StageLog::tail() const {
  return tail_.size() > kTail ? tail_.substr(tail_.size() - kTail) : tail_;
}

}  // namespace stagewright::stage
