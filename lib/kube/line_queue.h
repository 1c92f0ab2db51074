// Between a network thread, which must never wait, and the thread that reads the lines.
#pragma once

#include <condition_variable>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/guarded.h"

namespace stagewright::kube {

/// Thread-safe. One producer, one consumer.
class LineQueue {
 public:
  explicit LineQueue(std::size_t maxBytes) : maxBytes_(maxBytes) {}

  /// Never waits. False if the line does not fit any more: the producer must give up, for a line is
  /// lost.
  bool push(std::string_view line) {
    auto state = state_.lock();
    if (state->closed || state->bytes + line.size() > maxBytes_) {
      return state->closed;
    }
    state->bytes += line.size();
    state->lines.emplace_back(line);
    ready_.notify_one();
    return true;
  }

  /// No line comes after this; those that wait can still be read.
  void close() {
    state_.lock()->closed = true;
    ready_.notify_one();
  }

  /// Waits for a line. Empty when the queue is closed and read to its end.
  std::optional<std::string> pop() {
    auto state = state_.lock();
    ready_.wait(state.guard(), [&] { return state->closed || !state->lines.empty(); });
    if (state->lines.empty()) {
      return std::nullopt;
    }
    std::string line = std::move(state->lines.front());
    state->lines.pop_front();
    state->bytes -= line.size();
    return line;
  }

 private:
  struct State {
    std::deque<std::string> lines;
    std::size_t bytes = 0;
    bool closed = false;
  };
  std::size_t maxBytes_;
  Guarded<State> state_;
  std::condition_variable ready_;
};

}  // namespace stagewright::kube
