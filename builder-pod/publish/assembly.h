// Config and manifest of the image, from the plan and the layers. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/oci/manifest.h"
#include "lib/plan/plan.h"

namespace stagewright::publish {

/// The config's bytes: that of the target stage with `diffIds` (base first) and every missing time
/// set to `now`, or to the plan's own epoch. Base layers without history get an entry each;
/// kInternal if there are more entries than layers.
Result<std::string> makeConfig(const plan::BuildPlan& plan, const std::vector<oci::Digest>& diffIds,
                               TimePoint now);

/// The manifest's bytes, in OCI or Docker form.
std::string makeManifest(const oci::Descriptor& config, const std::vector<oci::Descriptor>& layers,
                         const std::vector<std::pair<std::string, std::string>>& annotations,
                         bool dockerFormat);

}  // namespace stagewright::publish
