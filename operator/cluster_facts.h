// What the cluster can do, learned from its nodes and its version.
#pragma once

#include <map>
#include <string>

#include "lib/base/guarded.h"
#include "lib/base/json.h"
#include "lib/lifecycle/world.h"
#include "operator/options.h"

namespace stagewright::op {

/// One node, and whether it can mount images as volumes.
struct NodeKnowledge {
  lifecycle::NodeFacts facts;
  bool imageVolumes = false;
};

/// Never throws, whatever the object holds.
NodeKnowledge parseNode(const Json& node);

/// Leaves of a node what parseNode reads: node statuses carry long lists of images.
void trimNode(Json& node);

/// `1`, `36+` of /version as a number; 0 if there is none.
int parseMinor(const std::string& minor);

/// Image volumes work from Kubernetes 1.36 on, where they are generally available, with
/// containerd 2.1 or CRI-O 1.31.
inline constexpr int kImageVolumeMinor = 36;

/// Thread-safe.
class ClusterFactsBoard {
 public:
  ClusterFactsBoard(ImageVolumes choice, int serverMinor)
      : choice_(choice), serverMinor_(serverMinor) {}

  /// True if something changed that a build may care about.
  bool update(const std::string& name, const Json* node);
  lifecycle::ClusterFacts facts() const;

 private:
  ImageVolumes choice_;
  int serverMinor_;
  mutable Guarded<std::map<std::string, NodeKnowledge>> nodes_;
};

}  // namespace stagewright::op
