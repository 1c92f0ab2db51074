#include "local/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "lib/base/clean_text.h"
#include "lib/base/file.h"
#include "lib/base/json.h"

namespace stagewright::local {

namespace {

using std::chrono::steady_clock;
constexpr std::size_t kTail = 4096;
constexpr std::size_t kMaxName = 1024;
constexpr std::size_t kMaxLine = 64 * 1024;
constexpr std::size_t kMaxText = 64 * 1024;

double secondsSince(steady_clock::time_point begin) {
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

std::string formatSeconds(double seconds, int digits) {
  char text[32];
  static_cast<void>(std::snprintf(text, sizeof(text), "%.*f", digits, seconds));
  return text;
}

ProgressStyle resolve(ProgressStyle style) {
  if (style != ProgressStyle::kAuto) {
    return style;
  }
  return ::isatty(STDERR_FILENO) == 1 ? ProgressStyle::kTty : ProgressStyle::kPlain;
}

std::size_t terminalWidth() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/// ` => [builder 2/4] RUN go build ./...                 1.2s`, one line of the terminal.
std::string statusLine(const std::string& name, const std::string& right) {
  const std::size_t room = terminalWidth() - 6 - right.size();
  std::string text = name.size() > room ? name.substr(0, room - 3) + "..." : name;
  text.resize(std::max(room, text.size()), ' ');
  return " => " + text + " " + right + "\n";
}

}  // namespace

Progress::Progress(ProgressStyle style) : style_(resolve(style)) {
  if (style_ == ProgressStyle::kTty) {
    ticker_ = std::jthread([this](std::stop_token stop) { runTicker(std::move(stop)); });
  }
}

Progress::~Progress() {
  if (ticker_.joinable()) {
    ticker_.request_stop();
    ticker_.join();
  }
}

void Progress::runTicker(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    wake_.wait_for(lock, stop, std::chrono::milliseconds(100), [] { return false; });
    clear();
    draw();
  }
  clear();
}

void Progress::write(const std::string& text) { static_cast<void>(writeAll(STDERR_FILENO, text, "standard error")); }

void Progress::clear() {
  if (drawn_ > 0) {
    write("\x1b[" + std::to_string(drawn_) + "A\x1b[J");
    drawn_ = 0;
  }
}

void Progress::draw() {
  std::string out;
  for (const auto& [id, vertex] : running_) {
    out += statusLine(vertex.name, formatSeconds(secondsSince(vertex.began), 1) + "s");
    ++drawn_;
  }
  write(out);
}

void Progress::printJson(int id, const char* event, const std::string& key, const std::string& value, double seconds) {
  Json json{{"id", id}, {"event", event}};
  if (!key.empty()) {
    json[key] = value;
  }
  if (seconds >= 0) {
    json["seconds"] = seconds;
  }
  write(dumpJson(json) + "\n");
}

int Progress::begin(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const int id = next_++;
  Vertex& vertex = running_[id] = Vertex{cleanLine(name, kMaxName), steady_clock::now(), "", ""};
  if (style_ == ProgressStyle::kPlain) {
    write("#" + std::to_string(id) + " " + vertex.name + "\n");
  } else if (style_ == ProgressStyle::kJson) {
    printJson(id, "started", "name", name, -1);
  }
  return id;
}

void Progress::printLine(int id, Vertex& vertex, std::string_view line) {
  if (style_ == ProgressStyle::kPlain) {
    write("#" + std::to_string(id) + " " + formatSeconds(secondsSince(vertex.began), 3) + " " + std::string(line) + "\n");
  } else if (style_ == ProgressStyle::kJson) {
    printJson(id, "output", "text", std::string(line), secondsSince(vertex.began));
  }
}

void Progress::output(int id, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  const auto it = running_.find(id);
  if (it == running_.end()) {
    return;
  }
  Vertex& vertex = it->second;
  vertex.tail += bytes;
  if (vertex.tail.size() > 2 * kTail) {
    vertex.tail.erase(0, vertex.tail.size() - kTail);
  }
  vertex.line += bytes;
  for (std::size_t end = vertex.line.find('\n'); end != std::string::npos; end = vertex.line.find('\n')) {
    printLine(id, vertex, std::string_view(vertex.line).substr(0, end));
    vertex.line.erase(0, end + 1);
  }
  if (vertex.line.size() > kMaxLine) {  // a step that never ends its line must not fill our memory
    printLine(id, vertex, vertex.line);
    vertex.line.clear();
  }
}

void Progress::end(int id, End how) {
  const std::lock_guard lock(mutex_);
  auto node = running_.extract(id);
  if (node.empty()) {
    return;
  }
  Vertex& vertex = node.mapped();
  if (!vertex.line.empty()) {
    printLine(id, vertex, vertex.line);
  }
  const double seconds = secondsSince(vertex.began);
  if (how == End::kFailed) {
    failedTails_[id] = vertex.tail;
  }
  static constexpr const char* kEvents[] = {"done", "cached", "failed", "cancelled"};
  const std::string number = "#" + std::to_string(id);
  if (style_ == ProgressStyle::kJson) {
    printJson(id, kEvents[static_cast<int>(how)], "", "", seconds);
  } else if (style_ == ProgressStyle::kPlain) {
    static constexpr const char* kWords[] = {" DONE ", " CACHED", " ERROR ", " CANCELED "};
    write(number + kWords[static_cast<int>(how)] + (how == End::kCached ? "" : formatSeconds(seconds, 1) + "s") + "\n\n");
  } else if (style_ == ProgressStyle::kTty) {
    clear();
    static constexpr const char* kMarks[] = {"", "CACHED ", "ERROR ", "CANCELED "};
    write(statusLine(kMarks[static_cast<int>(how)] + vertex.name, formatSeconds(seconds, 1) + "s"));
    draw();
  }
}

void Progress::cached(const std::string& name) { end(begin(name), End::kCached); }

void Progress::warn(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (style_ == ProgressStyle::kQuiet) {
    return;
  }
  if (style_ == ProgressStyle::kJson) {
    printJson(0, "warning", "text", text, -1);
    return;
  }
  clear();
  write("WARN: " + cleanText(text, kMaxText) + "\n");
}

std::string Progress::tailOf(int id) {
  const std::lock_guard lock(mutex_);
  const auto it = failedTails_.find(id);
  return it == failedTails_.end() ? "" : it->second;
}

}  // namespace stagewright::local
