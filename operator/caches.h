// What the operator knows of the cluster: one informer per kind and namespace that it works in,
// each on its own thread, warm on standbys too.
#pragma once

#include <functional>
#include <list>
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
    /// Empty: all, with one informer per kind.
    std::vector<std::string> namespaces{};
    bool clusterReads = true;  ///< without it nodes, policies and namespaces are not asked for
    bool watchList = false;    ///< the API server may have it
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
  /// What the cache of `kind` has seen of `ns`.
  std::string version(CachedKind kind, const std::string& ns) const;
  /// What the cache of `kind` has seen at least of every namespace.
  std::string oldestVersion(CachedKind kind) const;
  /// We may not read nodes, as of the last try. True on a cluster where only namespaces are ours.
  bool nodesDenied() const { return nodes_.isDenied(); }

  const kube::Store& builds() const { return builds_.store; }
  const kube::Store& pods() const { return pods_.store; }
  const kube::Store& claims() const { return claims_.store; }

 private:
  /// One kind in every namespace that is ours.
  struct Kind {
    Kind(kube::Store::IndexFunction index) : store(std::move(index)) {}
    kube::Store store;
    /// By namespace; "" is all of them. A list, because informers do not move.
    std::list<std::pair<std::string, kube::Informer>> informers;
  };
  const Kind& kindOf(CachedKind kind) const;

  bool clusterReads_;
  Kind builds_;
  Kind pods_;
  Kind claims_;
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

/// `namespace/name` of the claim that the run of a build works on; empty if none does.
std::string workedClaimKeyOf(const Json& build);

}  // namespace stagewright::op
