// The queue of all builds, kept from what the caches show and what workers are about to write.
//
// Never more builds are admitted than may run: a place counts as taken from the moment it is
// granted, before the status that says so is written, until the cache has shown that write. Nothing
// is granted before open(): whoever begins to lead must first know what its predecessor admitted.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/guarded.h"
#include "lib/kube/informer.h"
#include "lib/lifecycle/lifecycle.h"
#include "lib/queue/fair_queue.h"

namespace stagewright::op {

/// Thread-safe.
class AdmissionBoard {
 public:
  using RulesOf = std::function<queue::NamespaceRules(const std::string& ns)>;
  /// Called without a lock held.
  using Wake = std::function<void(const std::string& key)>;
  AdmissionBoard(const Clock& clock, queue::Limits limits, RulesOf rulesOf, Wake wake);

  /// What the cache shows of a build.
  void observe(const kube::Change& change);
  /// The object with this version stands in the store of the API server as admitted: it has a place
  /// until the cache has passed that version.
  void expectRunning(const Json& build);
  /// Takes back the places of builds that were deleted before the cache could show them.
  void dropVanished(const std::string& cacheVersion);
  /// From now on places are granted. REQUIRES: expectRunning was told of everything admitted.
  void open();
  /// The rules of a namespace, or with an empty name of all, may have changed. Wakes who is
  /// admitted by that, and those whose last run a policy refused.
  void refreshRules(const std::string& ns);

  /// Nothing before open(). Asking again changes nothing.
  std::optional<lifecycle::Admission> ask(const queue::Ticket& ticket);
  /// The plan for `key` was applied. `asked`: it held a ticket. `written`: the version of the
  /// object whose status was written, empty if none was or if that is not known.
  void settle(const std::string& key, bool asked, const std::string& written);

  /// Builds whose status shows another position than they have, the first in line first.
  std::vector<std::string> stalePositions(std::size_t limit) const;

  struct Snapshot {
    std::size_t waiting = 0;
    std::size_t running = 0;
    std::chrono::duration<double> oldest{0};
  };
  Snapshot snapshot() const;

 private:
  /// What the cache shows.
  struct Seen {
    enum class State { kIdle, kWaiting, kRunning };
    State state = State::kIdle;
    queue::Ticket ticket;
    std::string version;
    int position = 0;
    bool held = false;
    bool refused = false;  ///< by a policy
  };
  /// A place that the cache does not show yet.
  struct Grant {
    std::string version;  ///< of the write that admitted it; empty: not written, or not known
  };
  struct State {
    explicit State(queue::Limits limits) : queue(limits) {}
    queue::FairQueue queue;
    std::map<std::string, Seen> seen;
    std::map<std::string, Grant> grants;
    bool open = false;
  };

  static Seen parse(const std::string& key, const Json& build);
  void learnRules(State& state, const std::string& ns) const;
  void place(State& state, const std::string& key) const;
  std::vector<std::string> admit(State& state) const;
  void wakeAll(const std::vector<std::string>& keys) const;

  const Clock& clock_;
  RulesOf rulesOf_;
  Wake wake_;
  mutable Guarded<State> state_;
};

}  // namespace stagewright::op
