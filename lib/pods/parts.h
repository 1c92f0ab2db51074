// What the pods of a build have in common. Internal to lib/pods.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "lib/pods/pods.h"

namespace stagewright::pods {

/// REQUIRES: the build has a run.
const api::RunStatus& runOf(const RunContext& run);

/// Who a pod is: its labels and its name follow from it.
struct PodIdentity {
  std::string_view role;
  int stage = -1;  ///< role stage only
  int attempt = 1;
  std::string_view stageName{};
};

/// Collects volumes and their mounts, so that the two never disagree.
class VolumeList {
 public:
  /// A volume of its own, mounted once.
  void mount(std::string_view name, Json volume, std::string_view path, bool readOnly);
  /// The workspace, or a part of it.
  void mountWorkspace(std::string_view claim, std::string_view path, const std::string& subPath,
                      bool readOnly);
  const Json& volumes() const { return volumes_; }
  const Json& mounts() const { return mounts_; }

 private:
  Json volumes_ = Json::array();
  Json mounts_ = Json::array();
};

Json objectMeta(const RunContext& run, const std::string& name, const PodIdentity* identity);

/// Everything but containers and volumes.
Json podFrame(const RunContext& run, const PodIdentity& identity);

/// A container of the builder image that is called as what it does.
Json builderContainer(const RunContext& run, std::string_view role);

/// uid 0 without a capability: it owns the workspace's files and needs no more.
Json builderSecurityContext();
/// The nine capabilities that RUN steps need, all within Pod Security "baseline".
Json stageSecurityContext();

/// Adds `name`=`value`. A `$` is doubled, because the kubelet would replace `$(NAME)`: a build
/// argument must not be able to ask for the run's key.
void addEnv(Json& env, std::string_view name, std::string_view value);

void putResources(Json& container, const api::Resources& resources);

/// emptyDir on /tmp, because the root file system is read-only.
void mountTmp(VolumeList& volumes);
/// The values of Secrets for `container`, a stage's, and the container that brings them. Nothing if
/// the stage mounts none that spec gives.
void addSecrets(Json& pod, Json& container, VolumeList& volumes, const RunContext& run,
                const api::StageStatus& stage);

/// pull/<i>, each optional: a missing Secret is told by the container, not by a pod that hangs.
void mountPullSecrets(VolumeList& volumes, const api::ImageBuildSpec& spec);
/// A source of volumes: one key as the file `path`. Optional, so that a missing one is told by the
/// container instead of a pod that never starts.
Json configMapFile(const api::ConfigMapKey& ref, const std::string& path);
/// ca/<i>/ca.crt of registries, ca/all/ca.crt for all requests; optional as well.
void mountCertificates(VolumeList& volumes, const api::ImageBuildSpec& spec);

}  // namespace stagewright::pods
