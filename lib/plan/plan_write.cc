// BuildPlan to JSON. Texts of here-documents may be any bytes, so they travel in base64.
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"
#include "lib/plan/json_parts.h"
#include "lib/plan/plan.h"
#include "lib/plan/plan_names.h"

namespace stagewright::plan {

namespace {

Json writeMount(const Mount& m) {
  Json out = {{"type", mountTypeText(m.type)},
              {"target", m.target},
              {"source", m.source},
              {"fromStage", m.fromStage},
              {"fromExport", m.fromExport},
              {"context", m.context},
              {"id", m.id},
              {"env", m.env},
              {"envOnly", m.envOnly},
              {"sharing", m.sharing},
              {"required", m.required},
              {"readOnly", m.readOnly},
              {"uid", m.uid},
              {"gid", m.gid},
              {"size", m.size}};
  if (m.mode) {
    out["mode"] = *m.mode;
  }
  return out;
}

Json writeRun(const RunStep& run) {
  Json out = {{"argv", run.argv},
              {"env", run.env},
              {"workdir", run.workdir},
              {"user", run.user},
              {"mounts", Json::array()},
              {"pipes", Json::array()},
              {"networkNone", run.networkNone},
              {"networkHost", run.networkHost},
              {"insecure", run.insecure}};
  for (const Mount& mount : run.mounts) {
    out["mounts"].push_back(writeMount(mount));
  }
  for (const PipeFile& pipe : run.pipes) {
    out["pipes"].push_back({{"name", pipe.name}, {"content", toBase64(pipe.content)}});
  }
  return out;
}

Json writeSource(const CopySource& source) {
  Json out = {{"from", copyFromText(source.from)}, {"path", source.path}};
  switch (source.from) {
    case CopySource::From::kContext:
      break;
    case CopySource::From::kStage:
      out["stage"] = source.stage;
      out["exportIndex"] = source.exportIndex;
      break;
    case CopySource::From::kInline:
      out["content"] = toBase64(source.content);
      break;
    case CopySource::From::kFetched:
      out["fetchIndex"] = source.fetchIndex;
      break;
    case CopySource::From::kNamedContext:
      out["context"] = source.context;
      break;
  }
  return out;
}

Json writeCopy(const CopyStep& copy) {
  Json out = {
      {"isAdd", copy.isAdd},     {"sources", Json::array()}, {"destination", copy.destination},
      {"chown", copy.chown},     {"chmod", copy.chmod},      {"link", copy.link},
      {"parents", copy.parents}, {"excludes", copy.excludes}};
  for (const CopySource& source : copy.sources) {
    out["sources"].push_back(writeSource(source));
  }
  if (copy.unpack) {
    out["unpack"] = *copy.unpack;
  }
  return out;
}

Json writeStep(const Step& step) {
  Json out = {{"text", step.text}, {"line", step.line}, {"cacheKey", step.cacheKey}};
  if (const auto* run = std::get_if<RunStep>(&step.action)) {
    out["run"] = writeRun(*run);
  } else if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
    out["copy"] = writeCopy(*copy);
  } else if (const auto* workdir = std::get_if<WorkdirStep>(&step.action)) {
    out["workdir"] = {{"path", workdir->path}, {"user", workdir->user}};
  } else {
    const auto& layer = std::get<LayerStep>(step.action);
    out["layer"] = {{"blob", oci::toJson(layer.blob)}, {"diffId", layer.diffId.str()}};
  }
  if (!step.contentKey.empty()) {
    out["contentKey"] = step.contentKey;
  }
  return out;
}

Json writeBase(const Base& base) {
  Json out = {{"kind", baseKindText(base.kind)}};
  if (base.kind == Base::Kind::kStage) {
    out["stage"] = base.stage;
  }
  if (base.kind != Base::Kind::kImage) {
    return out;
  }
  out["name"] = base.name;
  out["reference"] = base.reference;
  out["layers"] = Json::array();
  for (const oci::Descriptor& layer : base.layers) {
    out["layers"].push_back(oci::toJson(layer));
  }
  out["diffIds"] = Json::array();
  for (const oci::Digest& diffId : base.diffIds) {
    out["diffIds"].push_back(diffId.str());
  }
  return out;
}

/// The config is written by its own serializer: the plan holds exactly what a push would hold.
Json writeConfig(const oci::ImageConfig& config) {
  auto json = parseJson(oci::serializeImageConfig(config));
  return json ? *std::move(json) : Json::object();
}

Json writeStage(const Stage& stage) {
  Json out = {{"index", stage.index},
              {"name", stage.name},
              {"line", stage.line},
              {"implicit", stage.implicit},
              {"base", writeBase(stage.base)},
              {"dependsOn", stage.dependsOn},
              {"steps", Json::array()},
              {"exports", Json::array()},
              {"usesContext", stage.usesContext},
              {"config", writeConfig(stage.config)}};
  if (stage.skipped) {
    out["skipped"] = true;
  }
  if (stage.cachedSteps > 0) {
    out["cachedSteps"] = stage.cachedSteps;
  }
  for (const Step& step : stage.steps) {
    out["steps"].push_back(writeStep(step));
  }
  for (const Export& item : stage.exports) {
    out["exports"].push_back({{"path", item.path}});
  }
  return out;
}

Json writeFetch(const Fetch& fetch) {
  return {{"url", fetch.url},
          {"checksum", fetch.checksum},
          {"git", fetch.git},
          {"keepGitDir", fetch.keepGitDir},
          {"line", fetch.line},
          {"remote", fetch.remote},
          {"ref", fetch.ref},
          {"subdir", fetch.subdir},
          {"submodules", fetch.submodules},
          {"commitTime", fetch.commitTime}};
}

}  // namespace

std::string serializePlan(const BuildPlan& plan) {
  Json out = {{"version", plan.version},  {"platform", plan.platform.str()},
              {"target", plan.target},    {"stages", Json::array()},
              {"fetches", Json::array()}, {"warnings", Json::array()}};
  for (const Stage& stage : plan.stages) {
    out["stages"].push_back(writeStage(stage));
  }
  for (const Fetch& fetch : plan.fetches) {
    out["fetches"].push_back(writeFetch(fetch));
  }
  for (const Warning& warning : plan.warnings) {
    out["warnings"].push_back(toJson(warning));
  }
  if (plan.authorities) {
    out["authorities"] = true;
  }
  if (plan.sourceDateEpoch) {
    out["sourceDateEpoch"] = *plan.sourceDateEpoch;
  }
  return dumpJson(out);
}

}  // namespace stagewright::plan
