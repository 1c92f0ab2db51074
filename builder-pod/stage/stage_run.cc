#include "builder-pod/stage/stage_run.h"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "builder-pod/stage/decompress.h"
#include "lib/base/file.h"
#include "lib/base/seal.h"
#include "lib/layer/apply.h"
#include "lib/layer/stream.h"

namespace stagewright::stage {

namespace {

using std::chrono::steady_clock;

constexpr Millis kSettle{20};  // docs: stage executor, 5.5

std::int64_t millisSince(SteadyPoint begin) {
  return std::chrono::duration_cast<Millis>(steady_clock::now() - begin).count();
}

/// VOLUMEs of the image are scanned although they are mounts; what the runtime mounts for itself
/// never is, whatever the image declares.
std::set<std::string> scannedVolumes(const std::set<std::string>& declared) {
  std::set<std::string> out;
  for (const std::string& volume : declared) {
    const std::string path = layer::cleanPath(volume);
    bool reserved = path.empty();
    for (const char* system : {"proc", "sys", "dev", ".stagewright"}) {
      reserved = reserved || layer::isAtOrBelow(path, system);
    }
    if (!reserved) {
      out.insert(path);
    }
  }
  return out;
}

void collectDirectories(const layer::Directory& directory, const std::string& path,
                        std::set<std::string>& out) {
  for (const layer::Node& node : directory.children) {
    if (node.directory) {
      const std::string child = layer::joinPath(path, node.name);
      out.insert(child);
      collectDirectories(*node.directory, child, out);
    }
  }
}

}  // namespace

StageRun::StageRun(const plan::BuildPlan& plan, const StageOptions& options, StepRunner& runner,
                   StageLog& log, const Stop& stop)
    : plan_(plan),
      stage_(plan.stages[static_cast<std::size_t>(options.stage)]),
      options_(options),
      runner_(runner),
      log_(log),
      stop_(stop),
      upstream_(options, stop) {
  report_.stage = options.stage;
  report_.attempt = options.attempt;
}

StageResult StageRun::run() { return finish(runAll()); }

Status StageRun::runAll() {
  CHECK_OK(openTree());
  log_.line("[" + stage_.name + " 1/" + std::to_string(stage_.steps.size() + 1) + "] FROM " +
            (stage_.base.name.empty() ? "scratch" : stage_.base.name));
  CHECK_OK(layBase());
  ready_ = steady_clock::now();
  waitedBefore_ = upstream_.waited();
  for (std::size_t i = 0; i < stage_.steps.size(); ++i) {
    CHECK_OK(runStep(static_cast<int>(i)));
  }
  current_ = -1;
  return packExports();
}

Status StageRun::openTree() {
  TRY(out_, OutDirectory::make(options_.out));
  TRY(Fd copy, out_->openGrowing(std::string(plan::kLogFile)));
  log_.copyTo(std::move(copy));
  TRY(tree_,
      layer::Tree::open(options_.root, options_.excluded, scannedVolumes(stage_.config.volumes)));
  if (plan::rootImage(plan_, options_.stage).empty()) {
    TRY(const layer::Snapshot made, layer::loadSnapshot(tree_->root(), {options_.excluded, {}, 1}));
    collectDirectories(made.root, "", stubs_);
  }
  return ok();
}

Status StageRun::layBase() {
  for (const int stage : plan::baseChain(plan_, options_.stage)) {
    if (stage != options_.stage) {
      CHECK_OK(layStage(stage));
    }
  }
  tree_->takeTouched();
  return ok();
}

Status StageRun::layStage(int stage) {
  TRY(const plan::StageReport* report, upstream_.await(stage));
  report_.upstream[stage] = options_.upstream.at(stage).attempt;
  if (report->layers.size() != plan_.stages[static_cast<std::size_t>(stage)].steps.size()) {
    return internal("stage " + std::to_string(stage) +
                    " reports another number of layers than it has steps");
  }
  for (const plan::LayerReport& layer : report->layers) {
    const auto& steps = plan_.stages[static_cast<std::size_t>(stage)].steps;
    const bool isKnown = layer.step >= 0 && static_cast<std::size_t>(layer.step) < steps.size();
    const auto* cached =
        isKnown ? std::get_if<plan::LayerStep>(&steps[static_cast<std::size_t>(layer.step)].action)
                : nullptr;
    if (cached != nullptr) {
      CHECK_OK(layCached(*cached));
    } else {
      CHECK_OK(layLayer(stage, layer));
    }
  }
  return ok();
}

/// What prepare took from the cache: compressed, and checked here against what the plan says.
Result<std::int64_t> StageRun::layCached(const plan::LayerStep& layer) {
  const std::string name = "cached layer " + layer.diffId.str();
  TRY(const Fd fetched, openDirectory(options_.fetched));
  TRY(const Fd file, openBeneath(fetched.get(), plan::cachedLayerName(layer.blob.digest.hex()),
                                 O_RDONLY | O_NONBLOCK));
  layer::FileSource source(file.get(), name);
  TRY(const auto plain, makeDecompressed(source));
  layer::HashingSource hashing(*plain);
  layer::TarReader reader(hashing);
  CHECK_OK(layer::applyLayer(*tree_, reader));
  CHECK_OK(hashing.drain());
  if ("sha256:" + hashing.sha256Hex() != layer.diffId.str()) {
    return unavailable(name + ": the cache has something else under its name");
  }
  return hashing.size();
}

Status StageRun::runCachedStep(int index, const plan::LayerStep& layer) {
  const auto began = steady_clock::now();
  TRY(const std::int64_t size, layCached(layer));
  tree_->takeTouched();
  baseline_.reset();
  report_.layers.push_back({index, layer.diffId, size});
  report_.times.push_back({index, millisSince(began)});
  return ok();
}

Status StageRun::layLayer(int stage, const plan::LayerReport& layer) {
  TRY(const Fd file, upstream_.openLayer(stage, layer.step));
  const std::string name =
      "layer " + std::to_string(layer.step) + " of stage " + std::to_string(stage);
  layer::FileSource source(file.get(), name);
  layer::HashingSource hashing(source);
  layer::TarReader reader(hashing);
  CHECK_OK(layer::applyLayer(*tree_, reader));
  CHECK_OK(hashing.drain());
  if ("sha256:" + hashing.sha256Hex() != layer.diffId.str()) {
    // What was laid down is wrong too, but it ends with this pod.
    return unavailable(name + ": its digest is not the reported one");
  }
  return ok();
}

Status StageRun::runStep(int index) {
  const plan::Step& step = stage_.steps[static_cast<std::size_t>(index)];
  const auto* cached = std::get_if<plan::LayerStep>(&step.action);
  log_.forgetTail();
  log_.line("[" + stage_.name + " " + std::to_string(index + 2) + "/" +
            std::to_string(stage_.steps.size() + 1) + "] " + (cached == nullptr ? "" : "CACHED ") +
            step.text);
  if (cached != nullptr) {
    return runCachedStep(index, *cached);
  }
  current_ = index;
  announce(index, "Started");
  const auto began = steady_clock::now();
  auto items = execute(step);
  Status status = items ? writeStepLayer(index, std::move(*items)) : Status(items.error());
  if (status && isOverdue()) {
    exit_ = plan::Exit::kStageTimeout;
    status = invalid("the stage took longer than its timeout");
  }
  announce(index, status ? "Succeeded" : "Failed", millisSince(began));
  report_.times.push_back({index, millisSince(began)});
  return status;
}

Result<StageRun::Items> StageRun::execute(const plan::Step& step) {
  if (stop_.requested()) {
    return cancelled("the stage was stopped");
  }
  if (const auto* run = std::get_if<plan::RunStep>(&step.action)) {
    return executeRun(step, *run);
  }
  // A copy changes the tree, so the next RUN needs a new baseline; its own layer needs none,
  // because the tree remembers what was touched.
  baseline_.reset();
  if (const auto* copy = std::get_if<plan::CopyStep>(&step.action)) {
    return executeCopy(*copy);
  }
  return executeWorkdir(std::get<plan::WorkdirStep>(step.action));
}

Status StageRun::writeStepLayer(int index, Items items) {
  const bool isCopy =
      std::holds_alternative<plan::CopyStep>(stage_.steps[static_cast<std::size_t>(index)].action);
  TRY(const WrittenFile written, out_->write(plan::layerPath(index), [&](layer::ByteSink& sink) {
    return layer::writeLayer(*tree_, std::move(items), sink, {plan_.sourceDateEpoch, isCopy});
  }));
  plan::LayerReport layer;
  layer.step = index;
  TRY(layer.diffId, oci::Digest::parse(written.digest));
  layer.size = written.size;
  CHECK_OK(out_->writeText(
      plan::layerSealPath(index),
      sealText(options_.key, options_.scope(), "layer", dumpJson(plan::toJson(layer)))));
  report_.layers.push_back(std::move(layer));
  return ok();
}

Status StageRun::loadBaseline() {
  if (!baseline_) {
    TRY(baseline_, layer::loadSnapshot(tree_->root(), {options_.excluded, tree_->volumes(), 2}));
    baselineTaken_ = steady_clock::now();
  }
  return ok();
}

/// The clock of ctime must have moved before a step can change something (docs: stage
/// executor, 5.5).
Status StageRun::settleBaseline() const {
  std::this_thread::sleep_until(baselineTaken_ + kSettle);
  return ok();
}

namespace {
bool isHidden(const std::string& path, const std::set<std::string>& hidden) {
  return std::any_of(hidden.begin(), hidden.end(),
                     [&](const std::string& target) { return layer::isAtOrBelow(path, target); });
}
}  // namespace

Result<StageRun::Items> StageRun::collectChanges(const std::set<std::string>& hidden) {
  TRY(layer::Snapshot now,
      layer::loadSnapshot(tree_->root(), {options_.excluded, tree_->volumes(), 2}));
  const auto taken = steady_clock::now();
  Items items;
  for (const layer::Change& change : layer::diffSnapshots(*baseline_, now)) {
    if (isHidden(change.path, hidden)) {
      continue;  // below a mount of the step
    }
    const bool becameSocket =
        change.kind == layer::Change::Kind::kModified && change.node->stat.isSocket();
    items.push_back({change.path, change.kind == layer::Change::Kind::kDeleted || becameSocket});
  }
  baseline_ = std::move(now);
  baselineTaken_ = taken;
  return items;
}

StageRun::Items StageRun::takeTouchedItems() {
  Items items;
  for (const std::string& path : tree_->takeTouched()) {
    if (tree_->stat(path)) {
      items.push_back({path, false});
    }
  }
  return items;
}

Status StageRun::packExports() {
  for (std::size_t i = 0; i < stage_.exports.size(); ++i) {
    const auto index = static_cast<int>(i);
    PackedExport packed;
    TRY(const WrittenFile written,
        out_->write(plan::artifactPath(index), [&](layer::ByteSink& sink) -> Status {
          TRY(packed,
              packExport(*tree_, stage_.exports[i].path, stubs_, sink, plan_.sourceDateEpoch));
          return ok();
        }));
    plan::ArtifactReport artifact;
    artifact.index = index;
    TRY(artifact.digest, oci::Digest::parse(written.digest));
    artifact.size = written.size;
    artifact.matches = std::move(packed.matches);
    report_.artifacts.push_back(std::move(artifact));
  }
  return out_->check();
}

std::optional<SteadyPoint> StageRun::deadline() const {
  if (!options_.timeout || !ready_) {
    return std::nullopt;
  }
  return *ready_ + *options_.timeout + (upstream_.waited() - waitedBefore_);
}

bool StageRun::isOverdue() const {
  const auto end = deadline();
  return end && steady_clock::now() > *end;
}

void StageRun::announce(int index, const char* state, std::int64_t millis) {
  Json frame = {{"type", "step"},
                {"step", index},
                {"of", stage_.steps.size()},
                {"state", state},
                {"text", stage_.steps[static_cast<std::size_t>(index)].text}};
  if (millis >= 0) {
    frame["millis"] = millis;
  }
  log_.frame(std::move(frame));
}

plan::Failure StageRun::describe(const Error& error) const {
  plan::Failure failure = failure_.value_or(plan::Failure{});
  if (failure.message.empty()) {
    failure.message = error.message;
  }
  if (current_ >= 0) {
    const plan::Step& step = stage_.steps[static_cast<std::size_t>(current_)];
    failure.instruction = step.text;
    failure.line = step.line > 0 ? step.line : stage_.line;  // a trigger has no line of its own
    failure.logTail = log_.tail();
  }
  return failure;
}

namespace {
/// Inside a step everything that is not the machine's fault is the user's; outside nothing is.
bool isUsersFault(const Error& error, bool inStep) {
  return inStep && error.code != Code::kUnavailable && error.code != Code::kInternal &&
         error.code != Code::kCancelled;
}

std::string reasonFor(plan::Exit exit, const Error& error) {
  switch (exit) {
    case plan::Exit::kStepFailed:
      return "StageFailed";
    case plan::Exit::kStageTimeout:
      return "StageTimeout";
    case plan::Exit::kOutOfMemory:
      return "StageOOMKilled";
    default:
      return error.code == Code::kCancelled ? "Disrupted" : "InternalError";
  }
}
}  // namespace

StageResult StageRun::finish(const Status& status) {
  StageResult result;
  report_.succeeded = status.has_value();
  if (!status) {
    result.exit = isUsersFault(status.error(), current_ >= 0) ? exit_ : plan::Exit::kInternal;
    report_.failure = describe(status.error());
    report_.failure->reason = reasonFor(result.exit, status.error());
    log_.line("ERROR: " + report_.failure->message);
  }
  log_.finishCopy();  // before the report, which says that everything is there
  const std::string body = dumpJson(plan::toJson(report_));
  const std::string sealed = sealText(options_.key, options_.scope(), "report", body);
  const Status written = out_ ? out_->writeText(std::string(plan::kReportFile), sealed)
                              : Status(internal("no output"));
  if (!written && status) {
    result.exit = plan::Exit::kInternal;
    report_.succeeded = false;
    report_.failure = plan::Failure{};
    report_.failure->reason = "InternalError";
    report_.failure->message = written.error().message;
    log_.line("ERROR: " + report_.failure->message);
  }
  result.report = std::move(report_);
  return result;
}

StageResult runStage(const plan::BuildPlan& plan, const StageOptions& options, StepRunner& runner,
                     StageLog& log, const Stop& stop) {
  return StageRun(plan, options, runner, log, stop).run();
}

}  // namespace stagewright::stage
