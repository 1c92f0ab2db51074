#include "lib/plan/summary.h"

#include <algorithm>
#include <climits>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/plan/json_parts.h"
#include "lib/plan/prune.h"
#include "lib/plan/text.h"

namespace stagewright::plan {

namespace {

constexpr std::size_t kMaxSummaryBytes =
    127 * 1024;  // the frame's prefix and seal need some of the 128 KiB
constexpr std::size_t kMaxWarnings = 32;
constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxBaseName = 256;
constexpr std::size_t kMaxImage = 1024;
constexpr std::size_t kMaxWarningText = 300;
constexpr std::size_t kMaxRevision = 128;
constexpr int kMaxSteps = 10000;

bool usesFetched(const BuildPlan& plan, const Stage& stage) {
  for (const Step& step : stage.steps) {
    if (plan.authorities && std::holds_alternative<RunStep>(step.action)) {
      return true;
    }
    const auto* copy = std::get_if<CopyStep>(&step.action);
    if (copy != nullptr &&
        std::any_of(copy->sources.begin(), copy->sources.end(),
                    [](const CopySource& s) { return s.from == CopySource::From::kFetched; })) {
      return true;
    }
  }
  return false;
}

bool usesCaches(const Stage& stage) {
  return std::any_of(stage.steps.begin(), stage.steps.end(), [](const Step& step) {
    const auto* run = std::get_if<RunStep>(&step.action);
    return run != nullptr &&
           std::any_of(run->mounts.begin(), run->mounts.end(),
                       [](const Mount& mount) { return mount.type == Mount::Type::kCache; });
  });
}

/// Longer ids and more of them exist in no ImageBuild; those steps go without.
std::vector<std::string> mountIds(const Stage& stage, Mount::Type type) {
  std::set<std::string> ids;
  for (const Step& step : stage.steps) {
    if (const auto* run = std::get_if<RunStep>(&step.action)) {
      for (const Mount& mount : run->mounts) {
        if (mount.type == type && mount.id.size() <= kMaxIdBytes &&
            printable(mount.id) == mount.id) {
          ids.insert(mount.id);
        }
      }
    }
  }
  std::vector<std::string> out(ids.begin(), ids.end());
  out.resize(std::min(out.size(), kMaxIds));
  return out;
}

/// A cached layer is mounted with what prepare fetched; those of the stages below count too.
bool laysCachedLayers(const BuildPlan& plan, const Stage& stage) {
  if (stage.skipped) {
    return false;
  }
  const std::vector<int> chain = baseChain(plan, stage.index);
  return std::any_of(chain.begin(), chain.end(), [&](int index) {
    return layerSteps(plan.stages[static_cast<std::size_t>(index)]) > 0;
  });
}

StageSummary summarizeStage(const BuildPlan& plan, const Stage& stage) {
  StageSummary out;
  out.index = stage.index;
  out.name = cutEnd(printable(stage.name), kMaxName);
  out.image = rootImage(plan, stage.index);
  out.baseName = cutEnd(printable(stage.base.name), kMaxBaseName);
  const std::size_t at = stage.base.reference.rfind('@');
  out.baseDigest = at == std::string::npos ? "" : stage.base.reference.substr(at + 1);
  out.baseStage = stage.base.stage;
  out.dependsOn = stage.dependsOn;
  out.steps = static_cast<int>(stage.steps.size());
  out.line = stage.line;
  out.usesContext = stage.usesContext;
  out.usesFetched = usesFetched(plan, stage) || laysCachedLayers(plan, stage);
  out.usesCaches = usesCaches(stage);
  out.skipped = stage.skipped;
  out.cachedSteps = std::max(layerSteps(stage), stage.cachedSteps);
  out.steps = std::max(out.steps, out.cachedSteps);
  out.implicit = stage.implicit;
  out.secrets = mountIds(stage, Mount::Type::kSecret);
  out.ssh = mountIds(stage, Mount::Type::kSsh);
  return out;
}

Warning boundedWarning(const Warning& w) {
  return {cutEnd(printable(w.rule), kMaxName), w.line,
          cutEnd(printable(w.message), kMaxWarningText), cutEnd(printable(w.url), kMaxBaseName)};
}

Json toJson(const StageSummary& s) {
  return {{"index", s.index},
          {"name", s.name},
          {"image", s.image},
          {"baseName", s.baseName},
          {"baseDigest", s.baseDigest},
          {"baseStage", s.baseStage},
          {"dependsOn", s.dependsOn},
          {"steps", s.steps},
          {"line", s.line},
          {"usesContext", s.usesContext},
          {"usesFetched", s.usesFetched},
          {"implicit", s.implicit},
          {"cachedSteps", s.cachedSteps},
          {"skipped", s.skipped},
          {"usesCaches", s.usesCaches},
          {"secrets", s.secrets},
          {"ssh", s.ssh}};
}

Result<std::string> boundedText(const JsonReader& reader, std::string_view key, std::size_t limit) {
  TRY(std::string text, reader.string(key, ""));
  if (text.size() > limit || printable(text) != text) {
    return reader.error(std::string(key) + ": too long or not printable");
  }
  return text;
}

Result<std::vector<std::string>> readIds(const JsonReader& reader, std::string_view key) {
  TRY(std::vector<std::string> ids, reader.strings(key));
  const bool bounded = std::all_of(ids.begin(), ids.end(), [](const std::string& id) {
    return id.size() <= kMaxIdBytes && printable(id) == id;
  });
  if (ids.size() > kMaxIds || !bounded) {
    return reader.error(std::string(key) + ": too many, too long or not printable");
  }
  return ids;
}

Result<StageSummary> readStage(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  StageSummary out;
  TRY(out.index, parseInt(reader, "index", 0, static_cast<int>(kMaxStages) - 1));
  TRY(out.name, boundedText(reader, "name", kMaxName));
  TRY(out.image, boundedText(reader, "image", kMaxImage));
  if (!out.image.empty() && !isPinned(out.image)) {
    return reader.error("image: expected repository@digest");
  }
  TRY(out.baseName, boundedText(reader, "baseName", kMaxBaseName));
  TRY(out.baseDigest, boundedText(reader, "baseDigest", kMaxBaseName));
  if (!out.baseDigest.empty()) {
    TRY(const oci::Digest digest, parseDigest(reader, "baseDigest"));
    out.baseDigest = digest.str();
  }
  TRY(out.baseStage, parseInt(reader, "baseStage", -1, static_cast<int>(kMaxStages) - 1));
  TRY(out.dependsOn, parseInts(reader, "dependsOn"));
  TRY(out.steps, parseInt(reader, "steps", 0, kMaxSteps));
  TRY(out.line, parseInt(reader, "line", 0, INT_MAX));
  TRY(out.usesContext, reader.boolean("usesContext", false));
  TRY(out.usesFetched, reader.boolean("usesFetched", false));
  TRY(out.implicit, reader.boolean("implicit", false));
  if (reader.has("cachedSteps")) {
    TRY(out.cachedSteps, parseInt(reader, "cachedSteps", 0, out.steps));
  }
  TRY(out.skipped, reader.boolean("skipped", false));
  TRY(out.usesCaches, reader.boolean("usesCaches", false));
  TRY(out.secrets, readIds(reader, "secrets"));
  TRY(out.ssh, readIds(reader, "ssh"));
  return out;
}

Status checkEdges(const JsonReader& reader, const std::vector<StageSummary>& stages,
                  std::size_t position) {
  const StageSummary& stage = stages[position];
  if (stage.index != static_cast<int>(position)) {
    return reader.error("index: expected its position");
  }
  int last = -1;
  for (const int d : stage.dependsOn) {
    if (d <= last || d >= stage.index) {
      return reader.error("dependsOn: must ascend and name earlier stages");
    }
    last = d;
  }
  if (stage.baseStage < 0) {
    return ok();
  }
  if (!std::binary_search(stage.dependsOn.begin(), stage.dependsOn.end(), stage.baseStage)) {
    return reader.error("baseStage: not among dependsOn");
  }
  if (stages[static_cast<std::size_t>(stage.baseStage)].image != stage.image) {
    return reader.error("image: differs from that of its base stage");
  }
  return ok();
}

Result<std::vector<Warning>> readWarnings(const JsonReader& reader) {
  TRY(const auto items, reader.array("warnings"));
  if (items.size() > kMaxWarnings) {
    return reader.error("warnings: more than 32");
  }
  std::vector<Warning> out;
  for (const JsonReader& item : items) {
    TRY(const Warning warning, parseWarning(item));
    out.push_back(boundedWarning(warning));
  }
  return out;
}

}  // namespace

PlanSummary summarize(const BuildPlan& plan, const oci::Digest& planDigest,
                      std::string sourceRevision) {
  PlanSummary out;
  out.planDigest = planDigest;
  out.target = plan.target;
  out.sourceRevision = cutEnd(printable(sourceRevision), kMaxRevision);
  for (const Stage& stage : plan.stages) {
    out.stages.push_back(summarizeStage(plan, stage));
  }
  for (const Warning& warning : plan.warnings) {
    if (out.warnings.size() == kMaxWarnings) {
      break;
    }
    out.warnings.push_back(boundedWarning(warning));
  }
  // Warnings give way: the operator can drive the build without them, not without the stages.
  while (!out.warnings.empty() && dumpJson(toJson(out)).size() > kMaxSummaryBytes) {
    out.warnings.pop_back();
  }
  return out;
}

Json toJson(const PlanSummary& summary) {
  Json out = {{"planDigest", summary.planDigest.str()},
              {"target", summary.target},
              {"stages", Json::array()},
              {"sourceRevision", summary.sourceRevision},
              {"warnings", Json::array()}};
  for (const StageSummary& stage : summary.stages) {
    out["stages"].push_back(toJson(stage));
  }
  for (const Warning& warning : summary.warnings) {
    out["warnings"].push_back(toJson(warning));
  }
  return out;
}

Result<PlanSummary> parsePlanSummary(const JsonReader& reader) {
  CHECK_OK(reader.mustBeObject());
  PlanSummary out;
  TRY(out.planDigest, parseDigest(reader, "planDigest"));
  TRY(const auto stages, reader.array("stages"));
  if (stages.empty() || stages.size() > kMaxStages) {
    return reader.error("stages: expected 1 to 64");
  }
  for (const JsonReader& item : stages) {
    TRY(StageSummary stage, readStage(item));
    out.stages.push_back(std::move(stage));
    CHECK_OK(checkEdges(item, out.stages, out.stages.size() - 1));
  }
  TRY(out.target, parseInt(reader, "target", 0, static_cast<int>(stages.size()) - 1));
  TRY(out.sourceRevision, boundedText(reader, "sourceRevision", kMaxRevision));
  TRY(out.warnings, readWarnings(reader));
  return out;
}

}  // namespace stagewright::plan
