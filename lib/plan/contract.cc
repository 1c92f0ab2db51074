#include "lib/plan/contract.h"

namespace stagewright::plan {

std::string cachesPath(std::string_view owner) { return "cache/" + std::string(owner); }

std::string runPath(std::string_view runId) { return "runs/" + std::string(runId); }

std::string preparePath(std::string_view runId, int attempt) {
  return runPath(runId) + "/prepare/a" + std::to_string(attempt);
}

std::string stagePath(std::string_view runId, int stage, int attempt) {
  return runPath(runId) + "/stages/" + std::to_string(stage) + "/a" + std::to_string(attempt);
}

std::string cachedLayerName(std::string_view digestHex) {
  return "layer-" + std::string(digestHex);
}

std::string layerPath(int step) { return "layers/" + std::to_string(step) + ".tar"; }

std::string layerSealPath(int step) { return "layers/" + std::to_string(step) + ".json"; }

std::string artifactPath(int index) { return "artifacts/" + std::to_string(index) + ".tar"; }

std::string logsTag(std::string_view buildNamespace, std::string_view build) {
  // Neither name can hold a dot.
  return "stagewright-logs." + std::string(buildNamespace) + "." + std::string(build);
}

}  // namespace stagewright::plan
