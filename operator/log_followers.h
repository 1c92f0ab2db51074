// Follows the logs of prepare and publish pods for the sealed frames in them.
//
// A log that broke off is read again from its start, and once more after its container has ended:
// folding a line twice is harmless. There are at most `maxThreads` connections. When more logs
// wait, those come first that a decision waits for, and others give way to them and come again: a
// thousand publish pods that wait for their stages must not hide one plan or one finished image.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"
#include "lib/kube/client.h"
#include "lib/lifecycle/world.h"

namespace stagewright::op {

/// Thread-safe. `onFact(key)` is called on a follower's thread whenever a build's facts have grown.
class LogFollowers {
 public:
  using OnFact = std::function<void(const std::string& key)>;
  LogFollowers(kube::ApiClient& client, Clock& clock, std::size_t maxThreads, OnFact onFact);
  ~LogFollowers();

  /// Follows exactly these pods of the build `key` from now on. Each with what is known of it now,
  /// which tells when its container has ended.
  void follow(const std::string& key, const std::string& ns,
              const std::vector<lifecycle::ObservedPod>& pods);
  /// What is known by pod name; facts of other pods of the build are forgotten.
  std::map<std::string, lifecycle::LogFacts> facts(
      const std::string& key, const std::vector<lifecycle::ObservedPod>& existing);
  /// The build is gone.
  void forget(const std::string& key);

 private:
  /// What is waited for; the smaller comes first.
  enum class Urgency : std::uint8_t {
    kEnded,    ///< the end of a container, which the log explains
    kPlan,     ///< of a prepare pod
    kMayPush,  ///< whether a publish pod may push
    kFailing,  ///< it could not be read the last time
    kNothing,  ///< publish waits for its stages; that its end is seen at once is a nicety
  };
  /// One pod whose log is wanted. Owned by State and, while it is followed, by a thread.
  struct Target {
    std::string key;
    std::string ns;
    lifecycle::ObservedPod pod;
    lifecycle::LogFacts facts;
    bool wanted = true;
    bool queued = false;
    bool followed = false;
    bool ended = false;     ///< the container, as far as is known
    bool failing = false;   ///< the last read
    std::stop_source turn;  ///< ends the present turn
    SteadyPoint turnStarted{};
  };
  struct State {
    std::map<std::string, std::shared_ptr<Target>> targets;  ///< by pod uid
    std::map<std::string, std::set<std::string>> uidsOfKey;
    std::deque<std::shared_ptr<Target>> queue;
    std::size_t idle = 0;
    std::vector<std::jthread> threads;
  };

  void enqueue(State& state, const std::shared_ptr<Target>& target);
  static std::shared_ptr<Target> takeMostUrgent(State& state);
  void makeRoom(State& state);
  void work(std::stop_token stop);
  void takeTurn(Target& target, std::stop_token turn);
  kube::ApiStatus readLog(Target& target, std::stop_token turn);
  void foldLine(Target& target, std::string_view line);
  lifecycle::LogFacts factsOf(const Target& target);
  void setFacts(Target& target, const std::function<void(lifecycle::LogFacts&)>& change);
  void setFailing(Target& target, bool failing);
  bool hasEnded(Target& target);
  bool waitForEnd(Target& target, Millis patience, std::stop_token turn);
  static Urgency urgencyOf(const Target& target);
  static bool isSettled(const Target& target) { return !target.wanted || target.facts.complete; }

  kube::ApiClient& client_;
  Clock& clock_;
  std::size_t maxThreads_;
  OnFact onFact_;
  Guarded<State> state_;
  std::condition_variable_any queued_;
  std::condition_variable_any ended_;  ///< the container of any target
};

}  // namespace stagewright::op
