// JSON to BuildPlan. A plan is a file on a volume: whoever reads it may index, open and join with
// what it says only because everything was checked here.
#include <algorithm>
#include <climits>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/plan/json_parts.h"
#include "lib/plan/plan.h"
#include "lib/plan/plan_names.h"
#include "lib/plan/summary.h"
#include "lib/plan/text.h"

namespace stagewright::plan {

namespace {

constexpr std::size_t kMaxPlanBytes = 64U * 1024 * 1024;
constexpr std::size_t kMaxPlanSteps = 10000;
constexpr std::size_t kMaxExports = 1000;
constexpr std::size_t kMaxFetches = 1000;
constexpr std::array<std::string_view, 3> kSharing = {"shared", "private", "locked"};

/// `path` without its one pivot, so that the rules for clean paths apply to what remains.
std::string pivotRemoved(std::string path) {
  if (const std::size_t at = path.find(kPivot); at != std::string::npos) {
    path.replace(at, kPivot.size(), "/");
  } else if (path.rfind("./", 0) == 0) {  // the pivot is the root of the context
    path.erase(0, 2);
  }
  return path;
}

Result<std::string> base64At(const JsonReader& reader, std::string_view key) {
  TRY(const std::string text, reader.string(key));
  auto bytes = fromBase64(text);
  return bytes ? Result<std::string>(*std::move(bytes))
               : Result<std::string>(reader.error(std::string(key) + ": not base64"));
}

Result<std::string> textAt(const JsonReader& reader, std::string_view key) {
  TRY(std::string text, reader.string(key));
  return hasNul(text) ? Result<std::string>(reader.error(std::string(key) + ": holds a NUL byte"))
                      : Result<std::string>(std::move(text));
}

Result<std::vector<std::string>> textsAt(const JsonReader& reader, std::string_view key) {
  TRY(std::vector<std::string> texts, reader.strings(key));
  if (std::any_of(texts.begin(), texts.end(), hasNul)) {
    return reader.error(std::string(key) + ": holds a NUL byte");
  }
  return texts;
}

Result<std::string> absoluteAt(const JsonReader& reader, std::string_view key) {
  TRY(std::string path, reader.string(key));
  return isCleanAbsolute(path) ? Result<std::string>(std::move(path))
                               : Result<std::string>(reader.error(
                                     std::string(key) + ": expected an absolute, clean path"));
}

/// One component of a path.
bool isFileName(std::string_view name) {
  return name != "." && name.find('/') == std::string_view::npos && isCleanRelative(name);
}

Result<std::uint32_t> id32At(const JsonReader& reader, std::string_view key) {
  TRY(const std::int64_t value, reader.integer(key, 0));
  if (value < 0 || value > UINT32_MAX) {
    return reader.error(std::string(key) + ": out of range");
  }
  return static_cast<std::uint32_t>(value);
}

Status checkMountPaths(const JsonReader& reader, const Mount& m) {
  const bool fileLess = m.type == Mount::Type::kSecret && m.envOnly;
  if (!isCleanAbsolute(m.target) && !(fileLess && m.target.empty())) {
    return reader.error("target: expected an absolute, clean path");
  }
  const bool hasSource =
      m.type == Mount::Type::kBind || (m.type == Mount::Type::kCache && m.fromStage >= 0);
  if (!hasSource) {
    return ok();
  }
  const bool good = m.fromStage >= 0 ? isCleanAbsolute(m.source) : isCleanRelative(m.source);
  return good ? ok() : Status(reader.error("source: expected a clean path"));
}

Result<Mount> readMount(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  Mount out;
  TRY(const std::string type, reader.string("type"));
  const auto known = mountTypeOf(type);
  if (!known) {
    return reader.error("type: unknown mount type " + quoted(type, 64));
  }
  out.type = *known;
  TRY(out.target, textAt(reader, "target"));
  TRY(out.source, textAt(reader, "source"));
  TRY(out.fromStage, parseInt(reader, "fromStage", -1, INT_MAX));
  TRY(out.fromExport, parseInt(reader, "fromExport", -1, INT_MAX));
  TRY(out.context, reader.string("context", ""));
  TRY(out.id, reader.string("id", ""));
  TRY(out.env, reader.string("env", ""));
  TRY(out.envOnly, reader.boolean("envOnly", false));
  TRY(out.sharing, reader.string("sharing"));
  if (std::find(kSharing.begin(), kSharing.end(), out.sharing) == kSharing.end()) {
    return reader.error("sharing: unknown value " + quoted(out.sharing, 64));
  }
  TRY(out.required, reader.boolean("required", false));
  TRY(out.readOnly, reader.boolean("readOnly", false));
  if (reader.has("mode")) {
    TRY(out.mode, parseInt(reader, "mode", 0, 07777));
  }
  TRY(out.uid, id32At(reader, "uid"));
  TRY(out.gid, id32At(reader, "gid"));
  TRY(out.size, parseSize(reader, "size"));
  CHECK_OK(checkMountPaths(reader, out));
  return out;
}

Result<RunStep> readRun(const JsonReader& reader) {
  RunStep out;
  TRY(out.argv, textsAt(reader, "argv"));
  if (out.argv.empty()) {
    return reader.error("argv: must not be empty");
  }
  TRY(out.env, textsAt(reader, "env"));
  TRY(out.workdir, absoluteAt(reader, "workdir"));
  TRY(out.user, textAt(reader, "user"));
  TRY(const auto mounts, reader.array("mounts"));
  for (const JsonReader& item : mounts) {
    TRY(Mount mount, readMount(item));
    out.mounts.push_back(std::move(mount));
  }
  TRY(const auto pipes, reader.array("pipes"));
  for (const JsonReader& item : pipes) {
    PipeFile& pipe = out.pipes.emplace_back();
    TRY(pipe.name, item.string("name"));
    if (!isFileName(pipe.name)) {
      return item.error("name: expected a file name");
    }
    TRY(pipe.content, base64At(item, "content"));
  }
  TRY(out.networkNone, reader.boolean("networkNone", false));
  TRY(out.networkHost, reader.boolean("networkHost", false));
  TRY(out.insecure, reader.boolean("insecure", false));
  return out;
}

Status checkSourcePath(const JsonReader& reader, const CopySource& source, bool parents) {
  const std::string path = parents ? pivotRemoved(source.path) : source.path;
  bool good = false;
  switch (source.from) {
    case CopySource::From::kContext:
    case CopySource::From::kNamedContext:
      good = isCleanRelative(path);
      break;
    case CopySource::From::kStage:
      good = isCleanAbsolute(path);
      break;
    case CopySource::From::kInline:
      good = isFileName(path);
      break;
    case CopySource::From::kFetched:
      good = path.empty() || isFileName(path);
      break;
  }
  return good ? ok() : Status(reader.error("path: not a clean path of this kind of source"));
}

Result<CopySource> readSource(const JsonReader& reader, bool parents) {
  CHECK_OK(reader.mustBeObject());
  CopySource out;
  TRY(const std::string from, reader.string("from"));
  const auto known = copyFromOf(from);
  if (!known) {
    return reader.error("from: unknown kind of source " + quoted(from, 64));
  }
  out.from = *known;
  TRY(out.path, reader.string("path"));
  CHECK_OK(checkSourcePath(reader, out, parents));
  if (out.from == CopySource::From::kStage) {
    TRY(out.stage, parseInt(reader, "stage", 0, INT_MAX));
    TRY(out.exportIndex, parseInt(reader, "exportIndex", 0, INT_MAX));
  } else if (out.from == CopySource::From::kInline) {
    TRY(out.content, base64At(reader, "content"));
  } else if (out.from == CopySource::From::kFetched) {
    TRY(out.fetchIndex, parseInt(reader, "fetchIndex", 0, INT_MAX));
  } else if (out.from == CopySource::From::kNamedContext) {
    TRY(out.context, reader.string("context"));
  }
  return out;
}

/// Absolute and clean but for one slash at the end.
bool isDestination(std::string_view path) {
  if (path.size() > 1 && path.back() == '/') {
    path.remove_suffix(1);
  }
  return isCleanAbsolute(path);
}

Result<CopyStep> readCopy(const JsonReader& reader) {
  CopyStep out;
  TRY(out.isAdd, reader.boolean("isAdd", false));
  TRY(out.parents, reader.boolean("parents", false));
  TRY(const auto sources, reader.array("sources"));
  for (const JsonReader& item : sources) {
    TRY(CopySource source, readSource(item, out.parents));
    out.sources.push_back(std::move(source));
  }
  TRY(out.destination, reader.string("destination"));
  if (!isDestination(out.destination)) {
    return reader.error("destination: expected an absolute, clean path");
  }
  TRY(out.chown, textAt(reader, "chown"));
  TRY(out.chmod, textAt(reader, "chmod"));
  TRY(out.link, reader.boolean("link", false));
  TRY(out.excludes, textsAt(reader, "excludes"));
  if (reader.has("unpack")) {
    TRY(out.unpack, reader.boolean("unpack", false));
  }
  return out;
}

Result<WorkdirStep> readWorkdir(const JsonReader& reader) {
  WorkdirStep out;
  TRY(out.path, absoluteAt(reader, "path"));
  TRY(out.user, textAt(reader, "user"));
  return out;
}

Result<LayerStep> readLayerStep(const JsonReader& reader) {
  LayerStep out;
  TRY(const JsonReader blob, reader.object("blob"));
  TRY(out.blob, oci::parseDescriptor(blob));
  TRY(out.diffId, parseDigest(reader, "diffId"));
  return out;
}

bool isCacheKey(std::string_view key) {
  return key.empty() || oci::Digest::parse("sha256:" + std::string(key)).has_value();
}

Result<Step> readStep(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  Step out;
  TRY(out.text, reader.string("text"));
  TRY(out.line, parseInt(reader, "line", 0, INT_MAX));
  TRY(out.cacheKey, reader.string("cacheKey", ""));
  if (!isCacheKey(out.cacheKey)) {
    return reader.error("cacheKey: expected 64 hexadecimal digits");
  }
  TRY(out.contentKey, reader.string("contentKey", ""));
  if (!isCacheKey(out.contentKey)) {
    return reader.error("contentKey: expected 64 hexadecimal digits");
  }
  int kinds = 0;
  for (const char* kind : {"run", "copy", "workdir", "layer"}) {
    kinds += reader.has(kind) ? 1 : 0;
  }
  if (kinds != 1) {
    return reader.error("expected one of run, copy, workdir, layer");
  }
  if (reader.has("run")) {
    TRY(const JsonReader run, reader.object("run"));
    TRY(out.action, readRun(run));
  } else if (reader.has("copy")) {
    TRY(const JsonReader copy, reader.object("copy"));
    TRY(out.action, readCopy(copy));
  } else if (reader.has("layer")) {
    TRY(const JsonReader layer, reader.object("layer"));
    TRY(out.action, readLayerStep(layer));
  } else {
    TRY(const JsonReader workdir, reader.object("workdir"));
    TRY(out.action, readWorkdir(workdir));
  }
  return out;
}

Status readImage(const JsonReader& reader, Base& out) {
  TRY(out.name, reader.string("name"));
  TRY(out.reference, reader.string("reference"));
  if (!isPinned(out.reference)) {
    return reader.error("reference: expected repository@digest");
  }
  TRY(const auto layers, reader.array("layers"));
  for (const JsonReader& item : layers) {
    TRY(oci::Descriptor layer, oci::parseDescriptor(item));
    out.layers.push_back(std::move(layer));
  }
  TRY(const auto diffIds, reader.strings("diffIds"));
  for (const std::string& text : diffIds) {
    TRY(oci::Digest diffId, oci::Digest::parse(text));
    out.diffIds.push_back(std::move(diffId));
  }
  if (out.layers.size() != out.diffIds.size()) {
    return reader.error("layers and diffIds differ in number");
  }
  return ok();
}

Result<Base> readBase(const JsonReader& reader) {
  Base out;
  TRY(const std::string kind, reader.string("kind"));
  const auto known = baseKindOf(kind);
  if (!known) {
    return reader.error("kind: unknown kind of base " + quoted(kind, 64));
  }
  out.kind = *known;
  if (out.kind == Base::Kind::kStage) {
    TRY(out.stage, parseInt(reader, "stage", 0, INT_MAX));
  } else if (out.kind == Base::Kind::kImage) {
    CHECK_OK(readImage(reader, out));
  }
  return out;
}

Result<Stage> readPlanStage(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  Stage out;
  TRY(out.index, parseInt(reader, "index", 0, static_cast<int>(kMaxStages) - 1));
  TRY(out.name, reader.string("name"));
  TRY(out.line, parseInt(reader, "line", 0, INT_MAX));
  TRY(out.implicit, reader.boolean("implicit", false));
  TRY(const JsonReader base, reader.object("base"));
  TRY(out.base, readBase(base));
  TRY(out.dependsOn, parseInts(reader, "dependsOn"));
  TRY(const auto steps, reader.array("steps"));
  TRY(const auto exports, reader.array("exports"));
  if (steps.size() > kMaxPlanSteps || exports.size() > kMaxExports) {
    return reader.error("more than 10000 steps or 1000 exports");
  }
  for (const JsonReader& item : steps) {
    TRY(Step step, readStep(item));
    out.steps.push_back(std::move(step));
  }
  for (const JsonReader& item : exports) {
    TRY(std::string path, absoluteAt(item, "path"));
    out.exports.push_back({std::move(path)});
  }
  TRY(out.usesContext, reader.boolean("usesContext", false));
  TRY(out.skipped, reader.boolean("skipped", false));
  if (reader.has("cachedSteps")) {
    TRY(out.cachedSteps, parseInt(reader, "cachedSteps", 0, static_cast<int>(kMaxPlanSteps)));
  }
  TRY(const JsonReader config, reader.object("config"));
  auto parsed = oci::parseImageConfig(dumpJson(config.value()));
  if (!parsed) {
    return config.error(parsed.error().message);
  }
  out.config = *std::move(parsed);
  return out;
}

Result<Fetch> readFetch(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  Fetch out;
  TRY(out.url, textAt(reader, "url"));
  TRY(out.checksum, reader.string("checksum", ""));
  TRY(out.git, reader.boolean("git", false));
  TRY(out.keepGitDir, reader.boolean("keepGitDir", false));
  TRY(out.line, parseInt(reader, "line", 0, INT_MAX));
  TRY(out.remote, reader.string("remote", ""));
  TRY(out.ref, reader.string("ref", ""));
  TRY(out.subdir, reader.string("subdir", ""));
  TRY(out.submodules, reader.boolean("submodules", true));
  TRY(out.commitTime, reader.boolean("commitTime", false));
  return out;
}

/// Checks what refers from one place of the plan to another.
class ReferenceCheck {
 public:
  explicit ReferenceCheck(const BuildPlan& plan) : plan_(plan) {}

  Status run() const {
    for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
      CHECK_OK(checkStage(plan_.stages[i], i));
    }
    return ok();
  }

 private:
  Status checkStage(const Stage& stage, std::size_t position) const {
    const std::string name = "stages[" + std::to_string(position) + "]";
    if (stage.index != static_cast<int>(position)) {
      return invalid(name + ": index is not its position");
    }
    int last = -1;
    for (const int d : stage.dependsOn) {
      if (d <= last || d >= stage.index) {
        return invalid(name + ": dependsOn must ascend and name earlier stages");
      }
      last = d;
    }
    if (stage.base.kind == Base::Kind::kStage && !dependsOn(stage, stage.base.stage)) {
      return invalid(name + ": its base is not among dependsOn");
    }
    bool layersEnded = false;
    for (std::size_t i = 0; i < stage.steps.size(); ++i) {
      const bool isLayer = std::holds_alternative<LayerStep>(stage.steps[i].action);
      layersEnded = layersEnded || !isLayer;
      if ((isLayer && layersEnded) || (!isLayer && stage.skipped)) {
        return invalid(name + ": steps[" + std::to_string(i) + "] does not follow from a cache");
      }
      if (!stepRefersWell(stage, stage.steps[i])) {
        return invalid(name + ": steps[" + std::to_string(i) + "] refers to what is not there");
      }
    }
    return ok();
  }

  static bool dependsOn(const Stage& stage, int other) {
    return std::binary_search(stage.dependsOn.begin(), stage.dependsOn.end(), other);
  }

  bool hasExport(const Stage& stage, int from, int index) const {
    return dependsOn(stage, from) && index >= 0 &&
           static_cast<std::size_t>(index) <
               plan_.stages[static_cast<std::size_t>(from)].exports.size();
  }

  bool sourceRefersWell(const Stage& stage, const CopySource& source) const {
    switch (source.from) {
      case CopySource::From::kStage:
        return hasExport(stage, source.stage, source.exportIndex);
      case CopySource::From::kFetched:
        return static_cast<std::size_t>(source.fetchIndex) < plan_.fetches.size();
      case CopySource::From::kContext:
        return stage.usesContext;
      case CopySource::From::kInline:
      case CopySource::From::kNamedContext:
        return true;
    }
    return false;
  }

  bool mountRefersWell(const Stage& stage, const Mount& mount) const {
    if (mount.fromStage >= 0) {
      return hasExport(stage, mount.fromStage, mount.fromExport);
    }
    return mount.type != Mount::Type::kBind || !mount.context.empty() || stage.usesContext;
  }

  bool stepRefersWell(const Stage& stage, const Step& step) const {
    if (const auto* run = std::get_if<RunStep>(&step.action)) {
      return std::all_of(run->mounts.begin(), run->mounts.end(),
                         [&](const Mount& mount) { return mountRefersWell(stage, mount); });
    }
    if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
      return std::all_of(copy->sources.begin(), copy->sources.end(),
                         [&](const CopySource& source) { return sourceRefersWell(stage, source); });
    }
    return true;
  }

  const BuildPlan& plan_;
};

Result<std::vector<Stage>> readStages(const JsonReader& reader) {
  TRY(const auto items, reader.array("stages"));
  if (items.empty() || items.size() > kMaxStages) {
    return reader.error("stages: expected 1 to 64");
  }
  std::vector<Stage> out;
  for (const JsonReader& item : items) {
    TRY(Stage stage, readPlanStage(item));
    out.push_back(std::move(stage));
  }
  return out;
}

}  // namespace

Result<BuildPlan> parsePlan(std::string_view text) {
  if (text.size() > kMaxPlanBytes) {
    return invalid("the plan is larger than 64 MiB");
  }
  TRY(const Json json, parseJson(text));
  const JsonReader reader(json);
  CHECK_OK(reader.mustBeObject());
  BuildPlan out;
  TRY(const std::int64_t version, reader.integer("version"));
  if (version != kPlanVersion) {
    return invalid("plan version " + std::to_string(version) + " is not known to this builder");
  }
  TRY(out.platform, parsePlatformAt(reader, "platform"));
  TRY(out.stages, readStages(reader));
  TRY(out.target, parseInt(reader, "target", 0, static_cast<int>(out.stages.size()) - 1));
  TRY(const auto fetches, reader.array("fetches"));
  if (fetches.size() > kMaxFetches) {
    return reader.error("fetches: more than 1000");
  }
  for (const JsonReader& item : fetches) {
    TRY(Fetch fetch, readFetch(item));
    out.fetches.push_back(std::move(fetch));
  }
  TRY(const auto warnings, reader.array("warnings"));
  for (const JsonReader& item : warnings) {
    TRY(Warning warning, parseWarning(item));
    out.warnings.push_back(std::move(warning));
  }
  TRY(out.authorities, reader.boolean("authorities", false));
  if (reader.has("sourceDateEpoch")) {
    TRY(out.sourceDateEpoch, reader.integer("sourceDateEpoch"));
  }
  CHECK_OK(ReferenceCheck(out).run());
  return out;
}

}  // namespace stagewright::plan
