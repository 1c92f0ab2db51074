// Keys to be worked on. A key waits at most once, is never given to two workers, and if it is added
// while one works on it, it comes exactly once more afterwards. Namespaces take turns, so that the
// thousand keys of one team do not delay the one of another; and what its users ask for takes turns
// with the progress of its builds, so that a new build starts while hundreds are busy.
#pragma once

#include <compare>
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

/// Why a key is added. The greater one counts if there are several reasons.
enum class Lane : std::uint8_t {
  /// After all others: ten thousand finished builds of a restart must not delay a new one. But one
  /// turn in sixteen is theirs, so that an operator that never rests still cleans up.
  kLater,
  kProgress,  ///< pods, logs and time moved on
  kUsers,     ///< somebody created, changed or deleted a build
};

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

  /// Now. A key that waits already keeps its place, unless a greater lane has an earlier one.
  void add(const std::string& key, Lane lane = Lane::kProgress);
  /// When `delay` is over, spread by five percent; the earliest of several such wishes counts.
  void addAfter(const std::string& key, Millis delay);
  /// After a wait that doubles from 250 ms to 5 min with each failure of this key in a row, taken
  /// at random between nothing and that; at least `atLeast`.
  void addAfterFailure(const std::string& key, Millis atLeast = Millis(0));
  /// Success: the next failure is the first again.
  void forget(const std::string& key);

  struct Work {
    std::string key;
    Lane lane = Lane::kProgress;
  };
  /// The next key, which is the caller's until done(). Waits; empty after a stop or shutdown.
  std::optional<Work> get(std::stop_token stop);
  /// The same without waiting.
  std::optional<Work> tryGet();
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
    Lane lane = Lane::kProgress;
    std::uint64_t place = 0;
    int failures = 0;
    std::optional<SteadyPoint> due;  ///< of a delayed add
    SteadyPoint since{};             ///< waiting or working
  };
  struct Order {
    bool later;
    std::uint64_t place;
    std::string key;
    auto operator<=>(const Order&) const = default;
  };
  /// The keys of one lane of one namespace have consecutive turns, beginning with the present one
  /// (start-time fair queueing; Goyal, Vin, Cheng 1996, with equal weights and costs).
  struct Turns {
    std::uint64_t present = 0;
    std::map<std::pair<std::string, Lane>, std::uint64_t> last;  ///< given to those that wait
  };
  struct State {
    std::map<std::string, Item> items;
    std::set<Order> ready;
    std::set<std::pair<SteadyPoint, std::string>> delayed;
    std::map<bool, Turns> turns;  ///< by Order::later
    std::mt19937_64 random;
    int sinceLater = 0;  ///< keys given out since one of Lane::kLater was
    bool down = false;
  };

  static Order orderOf(const std::string& key, const Item& item);
  void enqueue(State& state, const std::string& key, Lane lane);
  static void overtake(State& state, const std::string& key, Item& item, Lane lane);
  static std::uint64_t nextTurn(State& state, const std::string& key, Lane lane);
  static std::uint64_t spendTurn(State& state, const std::string& key, Lane lane);
  void promoteDue(State& state);
  std::optional<Work> take(State& state);
  static std::set<Order>::iterator choose(State& state);
  void delay(State& state, const std::string& key, Millis wait);
  static void dropIfIdle(State& state, const std::string& key);

  Clock& clock_;
  QueueObserver* observer_;
  mutable Guarded<State> state_;
  std::condition_variable_any changed_;
};

}  // namespace stagewright::op
