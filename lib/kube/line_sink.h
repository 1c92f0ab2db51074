// Where cpprestsdk puts the body of an answer. It runs on the library's pool threads, where an
// exception ends the process, a wait starves every other connection, and a short write is ignored
// silently. So it never throws, never waits, always takes everything, and remembers what went
// wrong.
#pragma once

#include <atomic>
#include <streambuf>
#include <string>

#include "lib/kube/line_queue.h"
#include "lib/kube/line_splitter.h"
#include "lib/kube/transport.h"

namespace stagewright::kube {

enum class SinkFault { kNone, kLineTooLong, kStreamTooLong, kReaderTooSlow, kOutOfMemory };

/// Splits a stream into lines for a LineQueue, which it closes at its first fault.
class LineSink final : public std::streambuf {
 public:
  LineSink(const StreamLimits& limits, LineQueue& queue)
      : limits_(limits), queue_(queue), splitter_(limits.lineBytes, limits.skipLongLines) {}

  /// REQUIRES: the stream has ended.
  void finish() {
    if (fault() == SinkFault::kNone) {
      splitter_.finish([this](std::string_view line) { deliver(line); });
    }
  }
  /// The first bytes, for the body of an error. REQUIRES: the stream has ended.
  const std::string& head() const { return head_; }
  SinkFault fault() const { return fault_.load(); }

 protected:
  std::streamsize xsputn(const char* bytes, std::streamsize count) noexcept override {
    take(std::string_view(bytes, static_cast<std::size_t>(count)));
    return count;
  }
  int_type overflow(int_type c) noexcept override {
    const char byte = traits_type::to_char_type(c);
    take(std::string_view(&byte, 1));
    return traits_type::not_eof(c);
  }

 private:
  static constexpr std::size_t kMaxHead = 64 << 10;

  void take(std::string_view bytes) noexcept {
    if (fault() != SinkFault::kNone) {
      return;
    }
    try {
      head_ += bytes.substr(0, kMaxHead - std::min(kMaxHead, head_.size()));
      total_ += bytes.size();
      if (total_ > limits_.totalBytes) {
        fail(SinkFault::kStreamTooLong);
      } else if (!splitter_.feed(bytes, [this](std::string_view line) { deliver(line); })) {
        fail(SinkFault::kLineTooLong);
      }
    } catch (const std::bad_alloc&) {
      fail(SinkFault::kOutOfMemory);
    }
  }

  void deliver(std::string_view line) {
    if (line.starts_with(limits_.prefix) && !queue_.push(line)) {
      fail(SinkFault::kReaderTooSlow);
    }
  }

  void fail(SinkFault fault) {
    fault_.store(fault);
    queue_.close();
  }

  const StreamLimits& limits_;
  LineQueue& queue_;
  LineSplitter splitter_;
  std::string head_;
  std::size_t total_ = 0;
  std::atomic<SinkFault> fault_ =
      SinkFault::kNone;  ///< written by a pool thread, read by the stream's owner
};

/// Keeps a whole body, up to a limit.
class BodySink final : public std::streambuf {
 public:
  explicit BodySink(std::size_t limit) : limit_(limit) {}
  std::string take() { return std::move(body_); }
  SinkFault fault() const { return fault_.load(); }

 protected:
  std::streamsize xsputn(const char* bytes, std::streamsize count) noexcept override {
    if (fault() == SinkFault::kNone) {
      append(std::string_view(bytes, static_cast<std::size_t>(count)));
    }
    return count;
  }
  int_type overflow(int_type c) noexcept override {
    const char byte = traits_type::to_char_type(c);
    xsputn(&byte, 1);
    return traits_type::not_eof(c);
  }

 private:
  void append(std::string_view bytes) noexcept {
    try {
      if (body_.size() + bytes.size() > limit_) {
        fault_.store(SinkFault::kStreamTooLong);
        return;
      }
      body_ += bytes;
    } catch (const std::bad_alloc&) {
      fault_.store(SinkFault::kOutOfMemory);
    }
  }

  std::size_t limit_;
  std::string body_;
  std::atomic<SinkFault> fault_ = SinkFault::kNone;  ///< as in LineSink
};

}  // namespace stagewright::kube
