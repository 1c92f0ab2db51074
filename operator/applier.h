// The one place that changes the cluster. The order is the crash safety: status (the intent) before
// creates.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "lib/api/image_build.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/kube/client.h"
#include "lib/lifecycle/lifecycle.h"
#include "operator/create_errors.h"
#include "operator/known_pods.h"
#include "operator/news_pace.h"
#include "operator/outcome.h"
#include "operator/work_queue.h"
#include "operator/write_gate.h"

namespace stagewright::op {

/// Where events go; the recorder in the operator, a list in tests.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void record(const api::ImageBuild& build, const lifecycle::EventNote& note) = 0;
};

/// Thread-safe, as long as no two threads apply to the same build.
class Applier {
 public:
  Applier(kube::ApiClient& client, const Clock& clock, WriteGate& gate, CreateErrors& createErrors,
          EventSink& events)
      : client_(client),
        clock_(clock),
        gate_(gate),
        createErrors_(createErrors),
        events_(events),
        pace_(clock) {}

  /// `object` is what `build` was parsed from. Done means that everything of the decision happened,
  /// or that it is only news whose time comes with the outcome's `after`; a plan whose status could
  /// not be written did nothing at all. What has time is left for a pass in Lane::kLater.
  Outcome apply(const Json& object, const api::ImageBuild& build,
                const lifecycle::Decision& decision, Lane lane, std::stop_token stop);
  KnownPods& knownPods() { return knownPods_; }
  /// The build is gone, or its run has ended.
  void forget(const std::string& key) {
    pace_.forget(key);
    knownPods_.forget(key);
  }

 private:
  struct Target {
    std::string key;
    std::string ns;
  };
  std::optional<Outcome> confirmAbsent(const Target& target, const std::vector<std::string>& pods,
                                       std::stop_token stop);
  std::optional<Outcome> writeStatus(const Target& target, const api::ImageBuild& build,
                                     const Json& before, const lifecycle::Decision& decision,
                                     std::stop_token stop);
  std::optional<Outcome> sendStatus(const Target& target, const api::ImageBuild& build,
                                    const Json& patch, const Json& wanted, std::stop_token stop);
  Outcome actAll(const Target& target, const lifecycle::Decision& decision, Lane lane,
                 std::stop_token stop);
  std::optional<Outcome> act(const Target& target, const lifecycle::Action& action,
                             std::stop_token stop);
  std::optional<Outcome> create(const Target& target, const lifecycle::Action& action,
                                const kube::Resource& resource, CachedKind kind,
                                std::stop_token stop);
  std::optional<Outcome> adopt(const Target& target, const lifecycle::Action& action,
                               const Json& wanted, const kube::Resource& resource, CachedKind kind,
                               const kube::ApiError& refused, std::stop_token stop);
  void isThere(const Target& target, const std::string& name, CachedKind kind,
               const std::string& version);
  std::optional<Outcome> refuse(const Target& target, const std::string& name,
                                const kube::ApiError& error);
  std::optional<Outcome> remove(const Target& target, const lifecycle::Action& action,
                                const kube::Resource& resource, CachedKind kind,
                                std::stop_token stop);

  kube::ApiClient& client_;
  const Clock& clock_;
  WriteGate& gate_;
  CreateErrors& createErrors_;
  EventSink& events_;
  NewsPace pace_;
  KnownPods knownPods_;
};

}  // namespace stagewright::op
