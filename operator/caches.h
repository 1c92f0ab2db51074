// What the operator knows of the cluster: one informer per kind, each on its own thread, warm on
// standbys too.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lib/kube/client.h"
#include "lib/kube/informer.h"
#include "operator/write_gate.h"

namespace stagewright::op {

/// Told of changes, on the informers' threads.
class CacheListener {
 public:
  virtual ~CacheListener() = default;
  virtual void onBuild(const kube::Change& change) = 0;
  virtual void onPod(const kube::Change& change) = 0;
  virtual void onClaim(const kube::Change& change) = 0;
  virtual void onNode(const kube::Change& change) = 0;
  virtual void onPolicy(const kube::Change& change) = 0;
  virtual void onNamespace(const kube::Change& change) = 0;
};

/// Thread-safe after start().
class Caches {
 public:
  struct Options {
    std::string ns{};        ///< empty: all namespaces
    bool watchList = false;  ///< the API server may have it
  };
  /// `client` needs no retry of its own: informers back off themselves.
  Caches(kube::ApiClient& client, Clock& clock, const Options& options, CacheListener& listener);
  ~Caches();

  void start();
  /// Ends the threads. Idempotent.
  void stop();

  /// Nodes count only if we may read them, policies only if the cluster has the kind: without the
  /// CRD there are none, but policies that we may not read must not be passed over.
  bool areSynced() const;
  /// What areSynced() still waits for, for the log.
  std::string missing() const;
  /// Kinds whose changes we do not hear of any more, because they are not served or because we may
  /// not see them; empty if there are none.
  std::string cutOff() const;
  std::string version(CachedKind kind) const;

  const kube::Store& builds() const { return builds_.store(); }
  const kube::Store& pods() const { return pods_.store(); }
  const kube::Store& claims() const { return claims_.store(); }

 private:
  kube::Informer builds_;
  kube::Informer pods_;
  kube::Informer claims_;
  kube::Informer nodes_;
  kube::Informer policies_;
  kube::Informer namespaces_;
  std::vector<std::jthread> threads_;
};

/// Leaves of a pod what observePod reads: metadata, node, containers' names, images and our run
/// key, status.
void trimPod(Json& pod);

/// `namespace/name` of the build that a pod or claim is labelled with; empty if none.
std::string buildKeyOf(const Json& child);

}  // namespace stagewright::op
