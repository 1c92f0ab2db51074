// What execution says about single stages and about the metadata of pods.
#include <algorithm>

#include "lib/pods/pods.h"
#include "lib/pods/resources.h"

namespace stagewright::pods {

namespace {
using Labels = std::map<std::string, std::string>;

bool names(const api::StageSettings& settings, std::string_view name, int index) {
  return settings.stage == name || settings.stage == std::to_string(index);
}

Status checkNames(const Labels& labels, const std::string& path, const PodSettings& settings) {
  for (const auto& [name, value] : labels) {
    const bool ours = name.starts_with(api::kGroup) || name.find('/') == std::string::npos;
    const auto& allowed = settings.podMetadataPrefixes;
    const bool permitted = std::any_of(
        allowed.begin(), allowed.end(),
        [&, &key = name](const std::string& prefix) { return key.starts_with(prefix); });
    if (ours || !permitted) {
      std::string known;
      for (const std::string& prefix : allowed) {
        known += (known.empty() ? "" : ", ") + prefix;
      }
      return denied(path + ": " + quoted(name, 128) + " is not allowed; " +
                    (known.empty() ? "the operator's --pod-metadata-prefix allows none"
                                   : "the operator's --pod-metadata-prefix allows " + known));
    }
  }
  return ok();
}
}  // namespace

api::StageSettings stageSettings(const api::ImageBuildSpec& spec, std::string_view name,
                                 int index) {
  api::StageSettings out;
  for (const api::StageSettings& own : spec.execution.stages) {
    if (names(own, name, index)) {
      out.timeout = own.timeout ? own.timeout : out.timeout;
      out.resources = mergeResources(out.resources, own.resources);
      for (const auto& [key, value] : own.nodeSelector) {
        out.nodeSelector[key] = value;
      }
    }
  }
  return out;
}

Result<Labels> commonNodeSelector(const api::ImageBuildSpec& spec) {
  Labels out = spec.execution.nodeSelector;
  for (const api::StageSettings& own : spec.execution.stages) {
    for (const auto& [key, value] : own.nodeSelector) {
      const auto [it, added] = out.emplace(key, value);
      if (!added && it->second != value) {
        return invalid("spec.execution.stages: stage " + quoted(own.stage, 128) + " asks for " +
                       key + "=" + value + ", but another part of execution for " + it->second +
                       "; on a ReadWriteOnce workspace all pods share one node");
      }
    }
  }
  return out;
}

Status checkPodMetadata(const api::ImageBuildSpec& spec, const PodSettings& settings) {
  const api::PodMetadata& metadata = spec.execution.podMetadata;
  const std::string path = "spec.execution.podMetadata.";
  CHECK_OK(checkNames(metadata.labels, path + "labels", settings));
  return checkNames(metadata.annotations, path + "annotations", settings);
}

std::vector<std::string> unknownStages(const api::ImageBuildSpec& spec,
                                       const std::vector<api::StageStatus>& stages) {
  std::vector<std::string> out;
  for (const api::StageSettings& own : spec.execution.stages) {
    if (std::none_of(stages.begin(), stages.end(), [&](const api::StageStatus& stage) {
          return names(own, stage.name, stage.index);
        })) {
      out.push_back(own.stage);
    }
  }
  return out;
}

}  // namespace stagewright::pods
