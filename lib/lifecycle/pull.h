// The kubelet's reasons and sentences for images and mounts that fail. Internal to lib/lifecycle.
#pragma once

#include <string>
#include <string_view>

#include "lib/lifecycle/world.h"

namespace stagewright::lifecycle {

enum class PullCause {
  kLasting,  ///< credentials, certificates, an image that is not there
  kPassing,  ///< the registry is away, slow or busy
  kUntold,
};
/// REQUIRES: isPullTrouble(its reason).
PullCause pullCause(const ObservedPod& pod);
bool isPullTrouble(std::string_view waitingReason);
/// A scheduler's sentence that is about the claim, not about nodes.
bool isVolumeTrouble(std::string_view message);
/// The runtime cannot map the ids of a mount.
bool isMountTrouble(const ObservedContainer& container);

/// Node, image, the kubelet's cause, and what to configure.
std::string nodeCannotPull(const ObservedPod& pod);
std::string registryTrouble(const ObservedPod& pod);
std::string builderPullTrouble(const ObservedPod& pod);

}  // namespace stagewright::lifecycle
