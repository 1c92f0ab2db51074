// Makes the image's layers ready while later steps still run: compressed in the store and, if it is to be pushed, uploaded.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "builder-pod/publish/placement.h"
#include "builder-pod/publish/upload_queue.h"
#include "lib/base/clock.h"
#include "lib/registry/client.h"
#include "local/image.h"
#include "local/layer_stream.h"
#include "local/stage_build.h"
#include "local/step_cache.h"
#include "local/store.h"

namespace stagewright::local {

class ImageCollector {
 public:
  struct Wishes {
    std::vector<oci::Repository> repositories;  ///< where to push to; empty: nowhere
    bool files = false;                         ///< layers, those of the base too, are wanted as files
    bool stepFiles = false;                     ///< layers of steps are; REQUIRES: true where `files` is
    bool dockerFormat = false;
    compress::Format format = compress::Format::kGzip;  ///< of new layers
  };
  /// Borrows everything.
  ImageCollector(const plan::BuildPlan& plan, Store& store, registry::Client& client, StepCache& cache, Clock& clock,
                 Wishes wishes,
                 std::function<ImageSource&(const plan::Base&)> sourceOf);

  /// Begins with the base's layers.
  void addBase();
  /// A finished step; steps of stages that the image is not made of are none of its business. Thread-safe.
  void addStep(StageBuild& stage, int index, int step);
  /// Waits for everything. The layers in order, and the times of the steps.
  struct Layers {
    std::vector<ImageLayer> layers;
    std::vector<std::string> times;
  };
  Result<Layers> collect(const std::vector<StageBuild*>& chain, std::stop_token stop);
  void requestStop() { queue_.requestStop(); }

  /// Config, manifest and tags into every repository. REQUIRES: collect() succeeded.
  Status push(const Image& image, const std::vector<oci::Reference>& tags, std::stop_token stop);
  /// The compressed layer of a finished step as a file of the store, made or fetched if need be. Thread-safe.
  Result<BlobRecord> blobOf(StageBuild& stage, int step, std::stop_token stop);

 private:
  bool isInChain(int stage) const;
  publish::UploadResult placeBase(const oci::Descriptor& layer, std::stop_token stop);
  /// What is known of a step by now: records of this build do not say what was made of them since.
  StepRecord recordOf(StageBuild& stage, int step) const;
  bool isFile(const BlobRecord& blob) const;
  Result<std::unique_ptr<LayerStream>> openStep(StageBuild& stage, int step, std::stop_token stop);
  Status saveBlob(StageBuild& stage, int step, StepRecord record, const BlobRecord& blob);
  /// In every repository and, if it is wanted, as a file.
  Result<BlobRecord> placeStep(StageBuild& stage, int step, std::stop_token stop);
  /// Only the digests of a layer.
  Result<BlobRecord> digestLayer(LayerStream& stream, std::stop_token stop);
  /// Whether the blob is in `repository` already, or could be mounted from where it was pushed before.
  Result<bool> findBlob(const oci::Repository& repository, const oci::Digest& digest, std::stop_token stop);
  Result<BlobRecord> uploadStream(const oci::Repository& repository, LayerStream& stream, std::stop_token stop);
  Status uploadFile(const oci::Repository& repository, const BlobRecord& blob, std::stop_token stop);
  Status fetchBase(const oci::Descriptor& layer, std::stop_token stop);

  const plan::BuildPlan& plan_;
  Store& store_;
  registry::Client& client_;
  StepCache& cache_;
  Clock& clock_;
  Wishes wishes_;
  std::function<ImageSource&(const plan::Base&)> sourceOf_;
  std::vector<int> chain_;
  Guarded<std::map<std::string, BlobRecord>> blobs_;  ///< by name of the task
  publish::UploadQueue queue_;                        ///< last: its threads use everything above
};

}  // namespace stagewright::local
