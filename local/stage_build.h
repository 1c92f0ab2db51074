// One stage of a local build: every step from the cache or run anew.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/layer/tree.h"
#include "lib/plan/plan.h"
#include "local/contexts.h"
#include "local/image_source.h"
#include "local/options.h"
#include "local/progress.h"
#include "local/runtime.h"
#include "local/step_cache.h"
#include "local/store.h"
#include "local/view.h"

namespace stagewright::local {

class StageBuild;

/// What the stages of a build share. Borrows everything.
struct BuildScope {
  const BuildOptions& options;
  const plan::BuildPlan& plan;
  Store& store;
  const StepCache& cache;
  Progress& progress;
  Contexts& contexts;
  Clock& clock;
  /// Where the image of a base lives.
  std::function<ImageSource&(const plan::Base&)> sourceOf;
  /// Waits until that stage is done. kCancelled if it failed.
  std::function<Result<StageBuild*>(int stage)> await;
  /// A finished step of a stage, as soon as it is there.
  std::function<void(StageBuild&, int step)> onStep;
  /// What ADD fetched: a file or a directory.
  std::function<Result<std::string>(int fetchIndex)> fetched;
  bool isOnlyStage = false;  ///< the Dockerfile has one stage and names no other image
  std::string hostName;
  std::string hostsFile;
  std::string resolvFile;
};

/// Why a step failed, for people.
struct StepFailure {
  int vertex = 0;
  std::string text;     ///< of the step
  int line = 0;
  std::string message;
};

/// Single-threaded while it builds; what is marked so may be asked by other threads afterwards.
class StageBuild {
 public:
  StageBuild(const BuildScope& scope, int stage)
      : scope_(scope), stage_(scope.plan.stages[static_cast<std::size_t>(stage)]) {}

  /// kInvalid: a step failed, and failure() is set; other codes are the builder's.
  Status run(std::stop_token stop);

  const std::optional<StepFailure>& failure() const { return failure_; }
  const std::string& key() const { return key_; }
  const std::vector<std::string>& keys() const { return keys_; }
  const std::vector<StepRecord>& records() const { return records_; }

  /// What this stage has read of others by content, under names that hold on every machine; REQUIRES: setBlob() was called
  /// for every step of every stage.
  std::map<std::string, std::string> portableNotes() const;
  /// The compressed layer of a step. Thread-safe.
  void setBlob(int step, const BlobRecord& blob);

  /// All layers below step `step` (the base's first), unpacking the base if need be. Thread-safe once steps are finished.
  Result<LayerDirectories> layersBefore(int step, std::stop_token stop);
  Result<LayerDirectories> layers(std::stop_token stop) { return layersBefore(static_cast<int>(records_.size()), stop); }
  /// The finished tree, read-only, mounted once. Thread-safe once run() has returned.
  Result<std::string> view(std::stop_token stop);

 private:
  Result<LayerDirectories> base(std::stop_token stop);
  Status runStep(int index, std::stop_token stop);
  Status runStepAnew(int index, bool isKeyKnown, std::stop_token stop);
  /// Appends the step's key. Thread-safe against readers of earlier ones.
  Status addKey(const plan::Step& step, std::stop_token stop);
  void blame(const plan::Step& step, int vertex, const Error& error);
  Result<std::string> keyOf(const plan::Step& step, std::stop_token stop);
  Status addSources(Sha256& hash, const plan::CopyStep& copy, std::stop_token stop);
  using AddContent = std::function<Status(Sha256&, stage::SourceTree&)>;
  /// Digest of what `add` reads of the finished stage `other`; remembered under `what` while that stage's layers are the same.
  Result<std::string> contentOf(StageBuild& other, const std::string& what, const AddContent& add, std::stop_token stop);
  std::optional<std::string> findContentNote(const StageBuild& other, const std::string& what) const;
  Result<std::string> contentOfMount(StageBuild& other, const plan::Mount& mount, std::stop_token stop);
  Status addMounts(Sha256& hash, const plan::RunStep& run, std::stop_token stop);
  /// Names the layers of the finished stage: equal only while they are the same directories.
  std::string identity() const;
  /// The same by diff ids; nothing while one is not known.
  std::optional<std::string> portableIdentity() const;
  /// Where the files of a step's layer are. Those of an imported cache are unpacked onto `below` when they are first needed.
  Result<std::string> filesOf(int step, const LayerDirectories& below, std::stop_token stop);
  bool takeFromCache(const std::string& key, const std::string& name);
  Result<StepRecord> execute(const plan::Step& step, int vertex, std::stop_token stop);
  Status executeRun(WorkTree& tree, const plan::RunStep& run, int vertex, std::stop_token stop);
  Status executeCopy(WorkTree& tree, const plan::CopyStep& copy, std::stop_token stop);
  Status copySource(layer::Tree& tree, const plan::CopyStep& copy, const plan::CopySource& source, std::stop_token stop);
  Status copyFetched(layer::Tree& tree, const plan::CopyStep& copy, const plan::CopySource& source);
  Status executeWorkdir(WorkTree& tree, const plan::WorkdirStep& workdir);
  std::string nameOf(int index) const;

  const BuildScope& scope_;
  const plan::Stage& stage_;
  StageBuild* parent_ = nullptr;  ///< the stage it starts from, finished
  std::string key_;
  std::vector<std::string> keys_;
  std::vector<StepRecord> records_;
  std::optional<StepFailure> failure_;
  bool learns_ = false;  ///< the contexts' digests come from the copy itself
  struct Reading {  ///< of another stage's content
    const StageBuild* other;
    std::string what;
    std::string digest;
  };
  std::vector<Reading> readings_;
  mutable std::mutex mutex_;  ///< guards what is below
  std::map<int, std::string> unpacked_;  ///< layers of steps that came without
  std::map<int, oci::Digest> diffIds_;   ///< of steps whose record does not say it
  std::optional<LayerDirectories> base_;
  std::optional<View> view_;
};

}  // namespace stagewright::local
