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
#include "operator/outcome.h"
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
      : client_(client), clock_(clock), gate_(gate), createErrors_(createErrors), events_(events) {}

  /// `object` is what `build` was parsed from. Done means that everything of the decision happened;
  /// a plan whose status could not be written did nothing at all.
  Outcome apply(const Json& object, const api::ImageBuild& build,
                const lifecycle::Decision& decision, std::stop_token stop);

 private:
  struct Target {
    std::string key;
    std::string ns;
  };
  std::optional<Outcome> confirmAbsent(const Target& target, const std::vector<std::string>& pods,
                                       std::stop_token stop);
  std::optional<Outcome> writeStatus(const Target& target, const Json& object,
                                     const api::ImageBuild& build,
                                     const lifecycle::Decision& decision, std::stop_token stop);
  std::optional<Outcome> act(const Target& target, const lifecycle::Action& action,
                             std::stop_token stop);
  std::optional<Outcome> create(const Target& target, const lifecycle::Action& action,
                                const kube::Resource& resource, CachedKind kind,
                                std::stop_token stop);
  std::optional<Outcome> adopt(const Target& target, const lifecycle::Action& action,
                               const Json& wanted, const kube::Resource& resource, CachedKind kind,
                               const kube::ApiError& refused, std::stop_token stop);
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
};

}  // namespace stagewright::op
