#include "local/stage_build.h"

#include <algorithm>

#include "lib/base/hash.h"
#include "local/base_layers.h"

namespace stagewright::local {

std::string StageBuild::nameOf(int index) const {
  const std::size_t total = stage_.steps.size() + 1;
  const std::string place = std::to_string(index + 2) + "/" + std::to_string(total);
  const std::string text = index < 0 ? "FROM " + (stage_.base.name.empty() ? "scratch" : stage_.base.name)
                                     : stage_.steps[static_cast<std::size_t>(index)].text;
  return "[" + stage_.name + " " + place + "] " + text;
}

Status StageBuild::run(std::stop_token stop) {
  // Others read what is finished while more is added.
  records_.reserve(stage_.steps.size());
  keys_.reserve(stage_.steps.size());
  if (stage_.base.kind == plan::Base::Kind::kStage) {
    TRY(StageBuild* const parent, scope_.await(stage_.base.stage));
    key_ = parent->key();
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
    failure_ = StepFailure{vertex, step.text, step.line, error.message};
  }
}

Status StageBuild::addKey(const plan::Step& step) {
  TRY(key_, keyOf(step));
  keys_.push_back(key_);
  return ok();
}

Status StageBuild::runStep(int index, std::stop_token stop) {
  const plan::Step& step = stage_.steps[static_cast<std::size_t>(index)];
  // Where nothing can be found, what a copy reads need not be read for its key before.
  const std::string stem = sha256Hex(key_ + "\n" + step.cacheKey);
  const bool isCopy = std::holds_alternative<plan::CopyStep>(step.action);
  learns_ = isCopy && (scope_.options.noCache || !scope_.store.mayKnow(stem));
  if (!learns_) {
    if (Status added = addKey(step); !added) {
      blame(step, 0, added.error());
      return added;
    }
    if (takeFromCache(key_, nameOf(index))) {
      return ok();
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
      CHECK_OK(addKey(step));
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
  TRY(LayerDirectories layers, base(std::move(stop)));
  for (int i = 0; i < step; ++i) {
    layers.push_back(scope_.store.layerFiles(records_[static_cast<std::size_t>(i)].layer));
  }
  return layers;
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

Result<std::string> StageBuild::keyOf(const plan::Step& step) {
  Sha256 hash;
  hash.update(key_ + "\n" + step.cacheKey + "\n");
  if (const auto* copy = std::get_if<plan::CopyStep>(&step.action)) {
    CHECK_OK(addSources(hash, *copy));
  } else if (const auto* run = std::get_if<plan::RunStep>(&step.action)) {
    CHECK_OK(addMounts(hash, *run));
  }
  return hash.hex();
}

Status StageBuild::addSources(Sha256& hash, const plan::CopyStep& copy) {
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
        TRY(StageBuild* const other, scope_.await(source.stage));
        hash.update("stage " + other->key() + "\n");
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

Status StageBuild::addMounts(Sha256& hash, const plan::RunStep& run) {
  for (const plan::Mount& mount : run.mounts) {
    if (mount.fromStage >= 0) {
      TRY(StageBuild* const other, scope_.await(mount.fromStage));
      hash.update("stage " + other->key() + "\n");
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
