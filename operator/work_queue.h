// Keys to be worked on. A key waits at most once, is never given to two workers, and if it is added
// while one works on it, it comes exactly once more afterwards. Namespaces take turns, so that the
// thousand keys of one team do not delay the one of another.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"

namespace stagewright::op {

inline constexpr int kNormalPriority = 0;
/// What a restart brings: ten thousand finished builds must not delay a new one.
inline constexpr int kInitialPriority = -100;

/// Told what happens in a queue, for metrics. Called with the queue locked: must be quick and must
/// not call back.
class QueueObserver {
 public:
  virtual ~QueueObserver() = default;
  virtual void onAdd() {}
  virtual void onRetry() {}
  virtual void onDepth(std::size_t) {}
  virtual void onStart(Millis /*waited*/) {}
  virtual void onDone(Millis /*worked*/) {}
};

/// Thread-safe.
class WorkQueue {
 public:
  explicit WorkQueue(Clock& clock, QueueObserver* observer = nullptr,
                     std::uint64_t seed = std::random_device{}());

  /// Now. A key that waits already keeps its place; a higher priority takes it to the
  /// end of its namespace's keys that have it.
  void add(const std::string& key, int priority = kNormalPriority);
  /// When `delay` is over, spread by five percent; the earliest of several such wishes counts.
  void addAfter(const std::string& key, Millis delay);
  /// After a wait that doubles from 250 ms to 5 min with each failure of this key in a row, taken
  /// at random between nothing and that; at least `atLeast`.
  void addAfterFailure(const std::string& key, Millis atLeast = Millis(0));
  /// Success: the next failure is the first again.
  void forget(const std::string& key);

  /// The next key, which is the caller's until done(). Waits; empty after a stop or shutdown.
  std::optional<std::string> get(std::stop_token stop);
  /// The same without waiting.
  std::optional<std::string> tryGet();
  void done(const std::string& key);

  /// get() returns empty from now on.
  void shutdown();

  std::size_t depth() const;
  /// Since when the key that is worked on the longest is, and the sum over all.
  struct Unfinished {
    Millis longest{0};
    Millis sum{0};
  };
  Unfinished unfinished() const;

 private:
  struct Item {
    bool waiting = false;
    bool working = false;
    bool again = false;  ///< added while working
    int priority = kNormalPriority;
    std::uint64_t place = 0;
    int failures = 0;
    std::optional<SteadyPoint> due;  ///< of a delayed add
    SteadyPoint since{};             ///< waiting or working
  };
  struct Order {
    int priority;
    std::uint64_t place;
    std::string key;
    bool operator<(const Order& other) const {
      return priority != other.priority ? priority > other.priority
             : place != other.place     ? place < other.place
                                        : key < other.key;
    }
  };
  /// The turns of one priority: a namespace's keys have consecutive turns, beginning with the
  /// present one (start-time fair queueing; Goyal, Vin, Cheng 1996, with equal weights and costs).
  struct Turns {
    std::uint64_t present = 0;
    std::map<std::string, std::uint64_t, std::less<>> next;  ///< of namespaces that wait
  };
  struct State {
    std::map<std::string, Item> items;
    std::set<Order> ready;
    std::set<std::pair<SteadyPoint, std::string>> delayed;
    std::map<int, Turns> turns;  ///< by priority
    std::mt19937_64 random;
    bool down = false;
  };

  void enqueue(State& state, const std::string& key, int priority);
  static std::uint64_t placeFor(State& state, const std::string& key, int priority);
  void promoteDue(State& state);
  std::optional<std::string> take(State& state);
  void delay(State& state, const std::string& key, Millis wait);
  static void dropIfIdle(State& state, const std::string& key);

  Clock& clock_;
  QueueObserver* observer_;
  mutable Guarded<State> state_;
  std::condition_variable_any changed_;
};

}  // namespace stagewright::op
