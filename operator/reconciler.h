// One look at one build: read the caches, plan (pure), apply.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/json.h"
#include "lib/kube/client.h"
#include "lib/kube/store.h"
#include "lib/lifecycle/lifecycle.h"
#include "operator/admission_board.h"
#include "operator/applier.h"
#include "operator/cluster_facts.h"
#include "operator/create_errors.h"
#include "operator/log_followers.h"
#include "operator/outcome.h"
#include "operator/policy_board.h"
#include "operator/write_gate.h"

namespace stagewright::op {

/// Thread-safe, as long as no two threads reconcile the same key. Borrows everything.
class Reconciler {
 public:
  struct Parts {
    kube::ApiClient& client;
    Clock& clock;
    const kube::Store& builds;  ///< indexed by the claim they work on
    const kube::Store& pods;    ///< indexed by build
    const kube::Store& claims;  ///< indexed by build
    const ClusterFactsBoard& cluster;
    WriteGate& gate;
    CreateErrors& createErrors;
    LogFollowers& followers;
    Applier& applier;
    AdmissionBoard& admissions;
    const PolicyBoard& policies;
    lifecycle::Settings settings;
  };
  explicit Reconciler(Parts parts) : p_(std::move(parts)) {}

  /// In Lane::kLater also what has time.
  Outcome reconcile(const std::string& key, Lane lane, std::stop_token stop);

 private:
  void forget(const std::string& key);
  Outcome planAndApply(const std::string& key, const Json& object, const api::ImageBuild& build,
                       lifecycle::World& world, Lane lane, std::stop_token stop);
  Result<lifecycle::World> observe(const std::string& key, const api::ImageBuild& build,
                                   std::stop_token stop);
  std::vector<lifecycle::ObservedPod> podsOf(const std::string& key, const api::ImageBuild& build);
  Result<std::vector<lifecycle::ObservedClaim>> claimsOf(const std::string& key,
                                                         const api::ImageBuild& build,
                                                         std::stop_token stop);
  std::string holderOf(const api::ImageBuild& build);
  void follow(const std::string& key, const api::ImageBuild& build, const lifecycle::World& world,
              const lifecycle::Decision& decision);

  Parts p_;
};

}  // namespace stagewright::op
