#include "builder-pod/stage/stage_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

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
  flush();
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

namespace {

std::string masked(std::string text, const std::vector<std::string>& hidden) {
  constexpr std::string_view kMask = "***";
  for (const std::string& word : hidden) {
    for (std::size_t at = text.find(word); at != std::string::npos;
         at = text.find(word, at + kMask.size())) {
      text.replace(at, word.size(), kMask);
    }
  }
  return text;
}

/// The length of the longest end of `text` that `hidden` begins with.
std::size_t overlap(std::string_view text, std::string_view hidden) {
  std::size_t length = std::min(text.size(), hidden.size() - 1);
  while (length > 0 && text.substr(text.size() - length) != hidden.substr(0, length)) {
    --length;
  }
  return length;
}

/// How much of `text` can be shown now: what is behind it may be the beginning of a hidden text, or
/// reaches into that.
std::size_t safeLength(const std::string& text, const std::vector<std::string>& hidden) {
  std::size_t cut = text.size();
  for (const std::string& word : hidden) {
    cut = std::min(cut, text.size() - overlap(text, word));
  }
  for (bool moved = true; moved;) {
    moved = false;
    for (const std::string& word : hidden) {
      const std::size_t from = cut < word.size() ? 0 : cut - word.size() + 1;
      const std::size_t at = text.find(word, from);
      if (at < cut) {
        cut = at;
        moved = true;
      }
    }
  }
  return text.size() - cut > kMaxLine ? text.size() : cut;
}

}  // namespace

void StageLog::output(std::string_view bytes) {
  if (hidden_.empty()) {
    show(bytes);
    return;
  }
  std::string text = std::exchange(pending_, {}) + std::string(bytes);
  const std::size_t cut = safeLength(text, hidden_);
  pending_ = text.substr(cut);
  text.resize(cut);
  show(masked(std::move(text), hidden_));
}

void StageLog::flush() {
  if (!pending_.empty()) {
    show(masked(std::exchange(pending_, {}), hidden_));
  }
}

void StageLog::forgetTail() {
  flush();
  tail_.clear();
}

void StageLog::show(std::string_view bytes) {
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
  flush();
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

std::string StageLog::tail() {
  flush();
  return tail_.size() > kTail ? tail_.substr(tail_.size() - kTail) : tail_;
}

}  // namespace stagewright::stage
