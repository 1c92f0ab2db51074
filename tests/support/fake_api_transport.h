// A transport that answers from a script and records what it was asked: for faults that a real API
// server does not show on demand. It knows nothing about objects; tests say every answer.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/guarded.h"
#include "lib/kube/transport.h"

namespace stagewright::kube {

/// Thread-safe.
class FakeApiTransport final : public ApiTransport {
 public:
  /// One prepared answer: `status` with `body`, or for streams `lines` and how the stream ends.
  struct Answer {
    int status = 200;
    std::string body{};
    std::vector<std::string> lines{};
    bool cut = false;   ///< the transport fails (after the lines)
    bool open = false;  ///< nothing more comes (after the lines) until the caller stops
    Millis retryAfter{0};
    std::function<void()> before{};  ///< runs before the answer
  };
  struct Asked {
    std::string method;
    std::string path;
    std::string contentType;
    std::string body;
  };

  /// Answers come in this order; beyond them the transport fails, after `whenExhausted`.
  FakeApiTransport& then(Answer answer) {
    state_.lock()->answers.push_back(std::move(answer));
    return *this;
  }
  /// Decides each answer instead of a script.
  void answerWith(std::function<Answer(const ApiRequest&)> responder) {
    state_.lock()->responder = std::move(responder);
  }
  void whenExhausted(std::function<void()> hook) { state_.lock()->exhausted = std::move(hook); }

  std::vector<Asked> asked() { return state_.lock()->asked; }
  /// `METHOD path` of every request, for comparing at a glance.
  std::vector<std::string> log() {
    std::vector<std::string> out;
    for (const Asked& request : asked()) {
      out.push_back(request.method + " " + request.path);
    }
    return out;
  }

  Result<ApiResponse> send(const ApiRequest& request, std::stop_token stop) override {
    return stream(request, StreamLimits{}, nullptr, stop);
  }

  Result<ApiResponse> stream(const ApiRequest& request, const StreamLimits& limits,
                             const LineHandler& onLine, std::stop_token stop) override {
    if (stop.stop_requested()) {
      return cancelled("stopped");
    }
    const Answer answer = next(request);
    if (answer.before) {
      answer.before();
    }
    for (const std::string& line : answer.lines) {
      if (line.starts_with(limits.prefix) && !onLine(line)) {
        return ApiResponse{200, "", Millis(0)};
      }
    }
    if (answer.open) {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any().wait(lock, stop, [] { return false; });
    }
    if (stop.stop_requested()) {
      return cancelled("stopped");
    }
    if (answer.cut) {
      return unavailable("connection reset");
    }
    return ApiResponse{answer.status, answer.body, answer.retryAfter};
  }

 private:
  struct State {
    std::deque<Answer> answers;
    std::function<Answer(const ApiRequest&)> responder;
    std::function<void()> exhausted;
    std::vector<Asked> asked;
  };

  Answer next(const ApiRequest& request) {
    auto state = state_.lock();
    state->asked.push_back({request.method, request.path, request.contentType, request.body});
    if (state->responder) {
      const auto responder = state->responder;
      state.guard().unlock();
      return responder(request);
    }
    if (state->answers.empty()) {
      Answer end;
      end.cut = true;
      end.before = state->exhausted;
      return end;
    }
    Answer answer = std::move(state->answers.front());
    state->answers.pop_front();
    return answer;
  }

  Guarded<State> state_;
};

}  // namespace stagewright::kube
