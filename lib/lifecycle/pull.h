// The kubelet's reasons and sentences for images and mounts that fail. Internal to lib/lifecycle.
#pragma once

#include <string>
#include <string_view>

#include "lib/lifecycle/world.h"

namespace stagewright::lifecycle {

bool isPullTrouble(std::string_view waitingReason);
/// A scheduler's sentence that is about the claim, not about nodes.
bool isVolumeTrouble(std::string_view message);
/// The runtime cannot map the ids of a mount.
bool isMountTrouble(const ObservedContainer& container);

/// Node, image, the kubelet's cause, and what to configure.
std::string nodeCannotPull(const ObservedPod& pod);
std::string builderPullTrouble(const ObservedPod& pod);

}  // namespace stagewright::lifecycle
