// One call of planBuild: what is known, and what has been decided so far. Internal to
// lib/lifecycle.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/lifecycle/lifecycle.h"
#include "lib/lifecycle/outcome.h"

namespace stagewright::lifecycle {

class Turn {
 public:
  /// `theBuild`: with policies' defaults in its spec; `theAsked`: the spec without them.
  Turn(const api::ImageBuild& theBuild, const api::ImageBuildSpec& theAsked, const World& theWorld,
       TimePoint theTime)
      : build(theBuild), asked(theAsked), world(theWorld), now(theTime) {
    decision.status = theBuild.status;
  }

  const api::ImageBuild& build;
  const api::ImageBuildSpec& asked;  ///< what the user set: identity is made of this
  const World& world;
  const TimePoint now;
  Decision decision;
  bool nextWaits = false;  ///< another run is wanted, this one is finished first

  api::ImageBuildStatus& status() { return decision.status; }
  /// REQUIRES: a run exists.
  api::RunStatus& run() { return *decision.status.run; }
  bool isActive() { return decision.status.run && !api::isFinished(run()); }

  /// The pod of one attempt in the current run; nullptr if none was observed.
  const ObservedPod* findPod(std::string_view role, int stage, int attempt);
  std::string podName(std::string_view role, int stage, int attempt);
  const LogFacts& factsOf(const ObservedPod& pod) const;
  const CreateError* createErrorOf(const std::string& name) const;
  const NodeFacts* findNode(std::string_view name) const;
  /// 32 raw bytes from the current prepare pod, else from a publish pod of the run; empty if
  /// neither is left.
  std::string runKey();

  void event(bool warning, std::string_view reason, std::string note);
  /// Asks to be called again at `time`.
  void wakeAt(TimePoint time);
  /// Why it does not progress: the first reason given stands in Ready.
  void wait(std::string_view reason, std::string message);
  /// The run failed. The first one counts.
  void fail(Outcome outcome);
  void succeed(const plan::ImageReport& image);
  void cancel(std::string_view why);
  /// The present run into status.history, ended or not. `result` stands in for one that it has not.
  void remember(std::string_view result);

  struct Waiting {
    std::string reason;
    std::string message;
  };
  const std::optional<Waiting>& waiting() const { return waiting_; }

 private:
  void complete(std::string_view result);

  std::optional<Waiting> waiting_;
};

}  // namespace stagewright::lifecycle
