#include "builder-pod/stage/stage_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/file.h"

namespace stagewright::stage {

namespace {
constexpr std::size_t kMaxLine = 64 * 1024;
constexpr std::size_t kTail = 2048;
}  // namespace

StageLog::StageLog(int fd, std::string key, SealScope scope)
    : fd_(fd), key_(std::move(key)), scope_(std::move(scope)) {}

void StageLog::write(std::string_view bytes) {
  if (!writeAll(fd_, bytes, "log")) {
    return;
  }
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
  write(text);
}

void StageLog::endLine() {
  if (column_ > 0) {
    write("\n");
    column_ = 0;
  }
}

void StageLog::line(std::string_view text) {
  endLine();
  write(std::string(text) + "\n");
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
