// Cuts a byte stream into lines, with a bound on what an unfinished line may hold.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stagewright::kube {

/// Not thread-safe.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t maxLine, bool skipLong)
      : maxLine_(maxLine), skipLong_(skipLong) {}

  /// Calls `onLine(std::string_view)` for every line that `bytes` ends. False if a line is too long
  /// and long lines are not skipped: the stream is of no use then.
  template <class OnLine>
  bool feed(std::string_view bytes, OnLine&& onLine) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      const std::string_view part = bytes.substr(0, end);
      if (!keep(part)) {
        return false;
      }
      if (end == std::string_view::npos) {
        return true;
      }
      bytes.remove_prefix(end + 1);
      if (!skipping_) {
        onLine(std::string_view(line_));
      }
      line_.clear();
      skipping_ = false;
    }
    return true;
  }

  /// The text after the last newline, if there is any.
  template <class OnLine>
  void finish(OnLine&& onLine) {
    if (!line_.empty() && !skipping_) {
      onLine(std::string_view(line_));
    }
    line_.clear();
  }

  std::size_t skippedLines() const { return skippedLines_; }

 private:
  bool keep(std::string_view part) {
    if (skipping_) {
      return true;
    }
    if (line_.size() + part.size() <= maxLine_) {
      line_ += part;
      return true;
    }
    line_.clear();
    line_.shrink_to_fit();
    skipping_ = true;
    ++skippedLines_;
    return skipLong_;
  }

  std::size_t maxLine_;
  bool skipLong_;
  bool skipping_ = false;
  std::size_t skippedLines_ = 0;
  std::string line_;
};

}  // namespace stagewright::kube
