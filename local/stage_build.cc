#include "local/stage_build.h"

#include <algorithm>

#include "lib/base/hash.h"
#include "local/base_layers.h"

namespace stagewright::local {

/// As BuildKit names them: `[builder 2/4] RUN make`, `[stage-1 2/4]`, `[2/4]` where there is one stage only. An image to begin
/// with counts as the first step.
std::string StageBuild::nameOf(int index) const {
  const bool hasImage = stage_.base.kind == plan::Base::Kind::kImage;
  const std::size_t total = stage_.steps.size() + (hasImage ? 1 : 0);
  const std::string number = std::to_string(index + (hasImage ? 2 : 1));
  const std::string width(std::to_string(total).size() - std::min(number.size(), std::to_string(total).size()), ' ');
  const bool isNumbered = stage_.name.find_first_not_of("0123456789") == std::string::npos;
  const std::string stage = scope_.isOnlyStage ? "" : (isNumbered ? "stage-" : "") + stage_.name + " ";
  const std::string text = index < 0 ? "FROM " + stage_.base.name : stage_.steps[static_cast<std::size_t>(index)].text;
  return "[" + stage + width + number + "/" + std::to_string(total) + "] " + text;
}

Status StageBuild::run(std::stop_token stop) {
  // Others read what is finished while more is added.
  records_.reserve(stage_.steps.size());
  keys_.reserve(stage_.steps.size());
  if (stage_.base.kind == plan::Base::Kind::kStage) {
    TRY(parent_, scope_.await(stage_.base.stage));
    key_ = parent_->key();
  } else {
    key_ = sha256Hex("base " + stage_.base.reference);
  }
  for (std::size_t i = 0; i < stage_.steps.size(); ++i) {
    if (stop.stop_requested()) {
      return cancelled("stopped");
    }
    CHECK_OK(runStep(static_cast<int>(i), stop));
    scope_.onStep(*this, static_cast<int>(i));
  }
  return ok();
}

void StageBuild::blame(const plan::Step& step, int vertex, const Error& error) {
  if (error.code == Code::kInvalid || error.code == Code::kNotFound || error.code == Code::kConflict ||
      error.code == Code::kDenied) {
    // A trigger has no line of its own: FROM gets the blame.
    failure_ = StepFailure{vertex, step.text, step.line > 0 ? step.line : stage_.line, error.message};
  }
}

Status StageBuild::addKey(const plan::Step& step, std::stop_token stop) {
  TRY(key_, keyOf(step, std::move(stop)));
  keys_.push_back(key_);
  return ok();
}

Status StageBuild::runStep(int index, std::stop_token stop) {
  const plan::Step& step = stage_.steps[static_cast<std::size_t>(index)];
  // Where nothing can be found, what a copy reads need not be read for its key before.
  const std::string stem = sha256Hex(key_ + "\n" + step.ownKey);
  const bool isCopy = std::holds_alternative<plan::CopyStep>(step.action);
  const bool mayKnow = isCopy && scope_.store.mayKnow(stem);
  learns_ = isCopy && (scope_.options.noCache || (!mayKnow && scope_.cache.isEmpty()));
  if (!learns_) {
    if (Status added = addKey(step, stop); !added) {
      blame(step, 0, added.error());
      return added;
    }
    if (takeFromCache(key_, nameOf(index))) {
      return isCopy && !mayKnow ? scope_.store.noteStem(stem) : ok();  // it was imported
    }
  }
  CHECK_OK(runStepAnew(index, !learns_, stop));
  return isCopy ? scope_.store.noteStem(stem) : ok();
}

Status StageBuild::runStepAnew(int index, bool isKeyKnown, std::stop_token stop) {
  const plan::Step& step = stage_.steps[static_cast<std::size_t>(index)];
  // Fetching and waiting is not the step's time.
  TRY(const LayerDirectories below, layersBefore(index, stop));
  const int vertex = scope_.progress.begin(nameOf(index));
  const Status status = [&]() -> Status {
    TRY(StepRecord record, execute(step, vertex, stop));
    if (!isKeyKnown) {
      CHECK_OK(addKey(step, stop));
    }
    CHECK_OK(scope_.store.saveStep(key_, record));
    records_.push_back(std::move(record));
    return ok();
  }();
  if (!status && !stop.stop_requested()) {
    blame(step, vertex, status.error());
  }
  using End = Progress::End;
  scope_.progress.end(vertex, status ? End::kDone : stop.stop_requested() ? End::kCancelled : End::kFailed);
  return status;
}

bool StageBuild::takeFromCache(const std::string& key, const std::string& name) {
  auto record = scope_.options.noCache ? std::nullopt : scope_.store.findStep(key);
  if (!record && !scope_.options.noCache) {
    record = scope_.cache.findStep(key);
  }
  if (!record) {
    return false;
  }
  scope_.progress.cached(name);
  records_.push_back(std::move(*record));
  return true;
}

Result<LayerDirectories> StageBuild::base(std::stop_token stop) {
  const std::lock_guard lock(mutex_);
  if (base_) {
    return *base_;
  }
  if (stage_.base.kind == plan::Base::Kind::kScratch) {
    base_ = LayerDirectories{scope_.store.emptyDirectory()};
  } else if (stage_.base.kind == plan::Base::Kind::kStage) {
    TRY(StageBuild* const parent, scope_.await(stage_.base.stage));
    TRY(base_, parent->layers(stop));
  } else {
    int vertex = 0;
    const auto tell = [&](const std::string&) {
      if (vertex == 0) {
        vertex = scope_.progress.begin(nameOf(-1));
      }
    };
    auto unpacked = unpackBase(scope_.store, scope_.sourceOf(stage_.base), stage_.base, tell, stop);
    if (vertex != 0) {
      scope_.progress.end(vertex, unpacked ? Progress::End::kDone : Progress::End::kFailed);
    }
    if (!unpacked) {
      return std::move(unpacked).error().during("unpack " + stage_.base.name);
    }
    base_ = std::move(*unpacked);
  }
  return *base_;
}

Result<LayerDirectories> StageBuild::layersBefore(int step, std::stop_token stop) {
  TRY(LayerDirectories layers, base(stop));
  for (int i = 0; i < step; ++i) {
    TRY(std::string files, filesOf(i, layers, stop));
    layers.push_back(std::move(files));
  }
  return layers;
}

Result<std::string> StageBuild::filesOf(int step, const LayerDirectories& below, std::stop_token stop) {
  const StepRecord& record = records_[static_cast<std::size_t>(step)];
  if (!record.layer.empty()) {
    return scope_.store.layerFiles(record.layer);
  }
  const std::lock_guard lock(mutex_);
  std::string& layer = unpacked_[step];
  if (layer.empty()) {
    CHECK_OK(scope_.cache.fetchBlob(*record.blob, stop));
    TRY(layer, unpackStep(scope_.store, *record.blob, below, stop));
    StepRecord whole = record;
    whole.layer = layer;
    CHECK_OK(scope_.store.saveStep(keys_[static_cast<std::size_t>(step)], whole));
  }
  return scope_.store.layerFiles(layer);
}

Result<std::string> StageBuild::view(std::stop_token stop) {
  TRY(const LayerDirectories all, layers(std::move(stop)));
  const std::lock_guard lock(mutex_);
  if (!view_) {
    TRY(view_, View::open(scope_.store, all));
  }
  return view_->path();
}

// --- keys ---

Result<std::string> StageBuild::keyOf(const plan::Step& step, std::stop_token stop) {
  Sha256 hash;
  hash.update(key_ + "\n" + step.ownKey + "\n");
  if (const auto* copy = std::get_if<plan::CopyStep>(&step.action)) {
    CHECK_OK(addSources(hash, *copy, std::move(stop)));
  } else if (const auto* run = std::get_if<plan::RunStep>(&step.action)) {
    hash.update("host " + scope_.hostName + "\n");
    CHECK_OK(addMounts(hash, *run, std::move(stop)));
  }
  return hash.hex();
}

std::string StageBuild::identity() const {
  std::string out = parent_ != nullptr ? parent_->identity() : "base " + stage_.base.reference;
  for (const StepRecord& record : records_) {
    out += "\n" + (record.layer.empty() ? record.blob->diffId.str() : record.layer);
  }
  return out;
}

std::optional<std::string> StageBuild::portableIdentity() const {
  std::optional<std::string> out = "base " + stage_.base.reference;
  if (parent_ != nullptr) {
    out = parent_->portableIdentity();
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; out && i < records_.size(); ++i) {
    const auto known = diffIds_.find(static_cast<int>(i));
    if (records_[i].blob) {
      *out += "\n" + records_[i].blob->diffId.str();
    } else if (known != diffIds_.end()) {
      *out += "\n" + known->second.str();
    } else {
      out.reset();
    }
  }
  return out;
}

void StageBuild::setBlob(int step, const BlobRecord& blob) {
  const std::lock_guard lock(mutex_);
  diffIds_.emplace(step, blob.diffId);
}

std::map<std::string, std::string> StageBuild::portableNotes() const {
  std::map<std::string, std::string> out;
  for (const Reading& reading : readings_) {
    if (const auto identity = reading.other->portableIdentity()) {
      out[sha256Hex("content\n" + *identity + "\n" + reading.what)] = reading.digest;
    }
  }
  return out;
}

std::optional<std::string> StageBuild::findContentNote(const StageBuild& other, const std::string& what) const {
  if (auto known = scope_.store.findNote(sha256Hex("content\n" + other.identity() + "\n" + what))) {
    return known;
  }
  const auto identity = scope_.cache.isEmpty() ? std::nullopt : other.portableIdentity();
  return identity ? scope_.cache.findNote(sha256Hex("content\n" + *identity + "\n" + what)) : std::nullopt;
}

Result<std::string> StageBuild::contentOf(StageBuild& other, const std::string& what, const AddContent& add,
                                          std::stop_token stop) {
  if (other.stage_.base.kind != plan::Base::Kind::kStage && other.stage_.steps.empty()) {
    return other.identity() + "\n" + what;  // an image as it is: its digest says what is in it
  }
  if (auto known = findContentNote(other, what)) {
    readings_.push_back({&other, what, *known});
    return std::move(*known);
  }
  TRY(const std::string view, other.view(std::move(stop)));
  TRY(const auto tree, makeStageTree(view));
  Sha256 hash;
  CHECK_OK(add(hash, *tree));
  const std::string digest = hash.hex();
  CHECK_OK(scope_.store.saveNote(sha256Hex("content\n" + other.identity() + "\n" + what), digest));
  readings_.push_back({&other, what, digest});
  return digest;
}

Result<std::string> StageBuild::contentOfMount(StageBuild& other, const plan::Mount& mount, std::stop_token stop) {
  const auto add = [&](Sha256& hash, stage::SourceTree& tree) -> Status {
    TRY(const std::string path, tree.resolve(mount.source));
    if (!tree.stat(path)) {
      return notFound("failed to calculate checksum of ref: \"/" + layer::cleanPath(mount.source) + "\": not found");
    }
    FileDigests none("");
    return addTree(hash, tree, path, none);
  };
  return contentOf(other, "mount " + mount.source, add, std::move(stop));
}

Status StageBuild::addSources(Sha256& hash, const plan::CopyStep& copy, std::stop_token stop) {
  for (const plan::CopySource& source : copy.sources) {
    switch (source.from) {
      case plan::CopySource::From::kContext:
      case plan::CopySource::From::kNamedContext: {
        Context& context = *scope_.contexts.at(source.context);
        TRY(const auto tree, context.tree());
        CHECK_OK(addSource(hash, *tree, copy, source.path, context.digests()));
        break;
      }
      case plan::CopySource::From::kStage: {
        // By content, so that a stage that ran again and made the same files makes nothing else run again.
        TRY(StageBuild* const other, scope_.await(source.stage));
        const auto add = [&](Sha256& inner, stage::SourceTree& tree) {
          FileDigests none("");
          return addSource(inner, tree, copy, source.path, none);
        };
        std::string what = (copy.parents ? "parents " : "copy ") + source.path;
        for (const std::string& pattern : copy.excludes) {
          what += "\n" + pattern;
        }
        TRY(const std::string content, contentOf(*other, what, add, stop));
        hash.update("stage " + content + "\n");
        break;
      }
      case plan::CopySource::From::kFetched: {
        TRY(const std::string path, scope_.fetched(source.fetchIndex));
        const std::size_t slash = path.rfind('/');
        TRY(const auto tree, makeContextTree(path.substr(0, slash), nullptr));
        FileDigests none("");
        CHECK_OK(addTree(hash, *tree, path.substr(slash + 1), none));
        break;
      }
      case plan::CopySource::From::kInline: break;  // part of the plan's key
    }
  }
  return ok();
}

Status StageBuild::addMounts(Sha256& hash, const plan::RunStep& run, std::stop_token stop) {
  for (const plan::Mount& mount : run.mounts) {
    if (mount.fromStage >= 0) {
      TRY(StageBuild* const other, scope_.await(mount.fromStage));
      const bool byContent = mount.type == plan::Mount::Type::kBind && mount.readOnly;
      TRY(const std::string content,
          byContent ? contentOfMount(*other, mount, stop) : Result<std::string>(other->key()));
      hash.update("stage " + content + "\n");
    } else if (mount.type == plan::Mount::Type::kBind) {
      Context& context = *scope_.contexts.at(mount.context);
      TRY(const auto tree, context.tree());
      TRY(const std::string path, tree->resolve(mount.source));
      if (!tree->stat(path)) {
        return notFound("failed to calculate checksum of ref: \"/" + layer::cleanPath(mount.source) + "\": not found");
      }
      CHECK_OK(addTree(hash, *tree, path, context.digests()));
    }
  }
  return ok();
}

}  // namespace stagewright::local
