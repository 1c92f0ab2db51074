#include "lib/base/clock.h"

#include <cctype>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <mutex>

namespace stagewright {

TimePoint SystemClock::now() const { return std::chrono::system_clock::now(); }
SteadyPoint SystemClock::steadyNow() const { return std::chrono::steady_clock::now(); }

bool SystemClock::sleepFor(Millis duration, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, duration, [] { return false; });
  return !stop.stop_requested();
}

namespace {
std::tm utc(TimePoint t) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(
      std::chrono::floor<std::chrono::seconds>(t));
  std::tm out{};
  gmtime_r(&seconds, &out);
  return out;
}

std::string datePart(TimePoint t) {
  const std::tm tm = utc(t);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
  return buffer;
}

/// Reads exactly `n` digits at `pos`, or returns -1.
int digits(std::string_view text, std::size_t pos, std::size_t n) {
  if (pos + n > text.size()) {
    return -1;
  }
  int value = 0;
  for (std::size_t i = pos; i < pos + n; ++i) {
    if (text[i] < '0' || text[i] > '9') {
      return -1;
    }
    value = value * 10 + (text[i] - '0');
  }
  return value;
}
}  // namespace

std::string formatTime(TimePoint t) { return datePart(t) + "Z"; }

std::string formatMicroTime(TimePoint t) {
  using namespace std::chrono;
  const auto micros = duration_cast<microseconds>(t - floor<seconds>(t)).count();
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, ".%06dZ", static_cast<int>(micros));
  return datePart(t) + buffer;
}

Result<TimePoint> parseTime(std::string_view text) {
  const auto bad = [&] { return invalid("expected an RFC 3339 time, got " + quoted(text, 64)); };
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = digits(text, 17, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60 || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') {
    return bad();
  }
  std::size_t pos = 19;
  long long nanos = 0;
  if (pos < text.size() && text[pos] == '.') {
    long long scale = 100'000'000;
    const std::size_t start = ++pos;
    while (pos < text.size() && std::isdigit(static_cast<unsigned char>(text[pos])) != 0) {
      nanos += (text[pos] - '0') * scale;
      scale /= 10;
      ++pos;
    }
    if (pos == start) {
      return bad();
    }
  }
  int offset = 0;
  const std::string_view zone = text.substr(pos);
  if (zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':') {
    const int h = digits(zone, 1, 2);
    const int m = digits(zone, 4, 2);
    if (h < 0 || h > 23 || m < 0 || m > 59) {
      return bad();
    }
    offset = (h * 60 + m) * (zone[0] == '-' ? -60 : 60);
  } else if (zone != "Z" && zone != "z") {
    return bad();
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) {
    return bad();
  }
  const auto seconds = std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                       std::chrono::seconds(second - offset);
  return std::chrono::time_point_cast<std::chrono::system_clock::duration>(seconds + std::chrono::nanoseconds(nanos));
}

Result<Millis> parseDuration(std::string_view text) {
  const auto bad = [&] { return invalid("expected a duration such as 90s or 1h30m, got " + quoted(text, 64)); };
  if (text.empty() || text.size() > 32) {
    return bad();
  }
  long long total = 0;
  std::size_t pos = 0;
  while (pos < text.size()) {
    long long number = 0;
    const std::size_t start = pos;
    while (pos < text.size() && text[pos] >= '0' && text[pos] <= '9') {
      number = number * 10 + (text[pos] - '0');
      if (number > 1'000'000'000) {
        return bad();
      }
      ++pos;
    }
    if (pos == start) {
      return bad();
    }
    long long unit = 0;
    if (text.substr(pos, 2) == "ms") {
      unit = 1;
      pos += 2;
    } else if (pos < text.size() && text[pos] == 's') {
      unit = 1000;
      ++pos;
    } else if (pos < text.size() && text[pos] == 'm') {
      unit = 60'000;
      ++pos;
    } else if (pos < text.size() && text[pos] == 'h') {
      unit = 3'600'000;
      ++pos;
    } else {
      return bad();
    }
    total += number * unit;
  }
  return Millis(total);
}

std::string formatDuration(Millis duration) {
  long long ms = duration.count();
  std::string out;
  const auto take = [&](long long unit, const char* suffix) {
    if (ms >= unit) {
      out += std::to_string(ms / unit) + suffix;
      ms %= unit;
    }
  };
  take(3'600'000, "h");
  take(60'000, "m");
  take(1000, "s");
  take(1, "ms");
  return out.empty() ? "0s" : out;
}

}  // namespace stagewright
