// What a build shows while it runs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "local/options.h"

namespace stagewright::local {

/// Lines of a pipe (plain, as BuildKit prints them), a terminal that collapses what is done, JSON lines, or nothing.
/// Everything goes to standard error. Thread-safe.
class Progress {
 public:
  explicit Progress(ProgressStyle style);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  enum class End { kDone, kCached, kFailed, kCancelled };
  /// `[builder 2/4] RUN go build`; the number names it in the other calls.
  int begin(const std::string& name);
  void output(int id, std::string_view bytes);
  void end(int id, End how);
  /// begin() and end() of something that took no time.
  void cached(const std::string& name);
  void warn(const std::string& text);
  /// The end of a failed step's output, for the error message.
  std::string tailOf(int id);

 private:
  struct Vertex {
    std::string name;
    std::chrono::steady_clock::time_point began;
    std::string line;  ///< not ended yet
    std::string tail;
  };

  void runTicker(std::stop_token stop);
  void clear();
  void draw();
  void write(const std::string& text);
  void printLine(int id, Vertex& vertex, std::string_view line);
  void printJson(int id, const char* event, const std::string& key, const std::string& value, double seconds);

  ProgressStyle style_;
  // The ticker's condition needs the bare mutex; it guards the fields below.
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::map<int, Vertex> running_;
  std::map<int, std::string> failedTails_;
  int next_ = 1;
  int drawn_ = 0;
  std::jthread ticker_;  ///< last: it uses everything above
};

}  // namespace stagewright::local
