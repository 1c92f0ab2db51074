#include "lib/api/image_build.h"

#include "lib/api/gitops.h"
#include "lib/api/json_fields.h"
#include "lib/api/spec_keys.h"
#include "lib/api/spec_parts.h"

namespace stagewright::api {

namespace {
Status parseInputs(const JsonReader& reader, ImageBuildSpec& out) {
  TRY(const std::optional<JsonReader> source, reader.optionalObject("source"));
  if (source) {
    TRY(out.source, parseSource(*source));
  }
  TRY(out.contextDir, reader.string("contextDir", ""));
  TRY(out.dockerfile, reader.string("dockerfile", ""));
  TRY(out.dockerfileInline, reader.string("dockerfileInline", ""));
  TRY(out.target, reader.string("target", ""));
  TRY(out.buildArgs, listOf<BuildArg>(reader, "buildArgs", parseBuildArg));
  TRY(out.buildContexts, listOf<BuildContext>(reader, "buildContexts", parseBuildContext));
  TRY(out.secrets, parseBuildSecrets(reader, "secrets"));
  TRY(out.ssh, parseBuildSecrets(reader, "ssh"));
  TRY(const JsonReader output, reader.object("output"));
  TRY(out.output, parseOutput(output));
  return ok();
}

Status parseRemedies(const JsonReader& reader, ImageBuildSpec& out) {
  TRY(out.imagePullSecrets,
      listOf<std::string>(reader, "imagePullSecrets",
                          [](const JsonReader& item) -> Result<std::string> {
                            CHECK_OK(onlySpecKeys(item, "spec.imagePullSecrets[]"));
                            return item.string("name");
                          }));
  TRY(out.registries, listOf<Registry>(reader, "registries", parseRegistry));
  TRY(out.proxy, parseProxy(reader));
  TRY(out.trustedCA, parseTrustedCA(reader));
  TRY(const std::optional<JsonReader> cache, reader.optionalObject("cache"));
  if (cache) {
    TRY(out.cache, parseCache(*cache));
  }
  TRY(const std::optional<JsonReader> workspace, reader.optionalObject("workspace"));
  if (workspace) {
    TRY(out.workspace, parseWorkspace(*workspace));
  }
  TRY(const std::optional<JsonReader> execution, reader.optionalObject("execution"));
  if (execution) {
    TRY(out.execution, parseExecution(*execution));
  }
  TRY(out.timeout, optionalDuration(reader, "timeout"));
  TRY(out.queueTimeout, optionalDuration(reader, "queueTimeout"));
  TRY(const std::optional<JsonReader> retry, reader.optionalObject("retry"));
  if (retry) {
    TRY(out.retry, parseRetry(*retry));
  }
  return ok();
}

/// The part of output that says nothing about the image.
Status parseOutputDefaults(const JsonReader& reader, ImageBuildSpec& out) {
  TRY(const std::optional<JsonReader> output, reader.optionalObject("output"));
  if (output) {
    TRY(out.output.secretRef, parseNameRef(*output, "secretRef", "spec.output.secretRef"));
  }
  return ok();
}

Status parseTurn(const JsonReader& reader, ImageBuildSpec& out) {
  TRY(out.queue, reader.string("queue", ""));
  if (reader.has("priority")) {
    TRY(out.priority, reader.integer("priority"));
  }
  return ok();
}

/// What only makes sense together.
Status checkTogether(const JsonReader& reader, const ImageBuildSpec& spec) {
  const bool hasSource = spec.source && (spec.source->git || spec.source->configMap);
  if (!hasSource && spec.dockerfileInline.empty()) {
    return reader.error("needs a source, or dockerfileInline if there is none");
  }
  if (!spec.dockerfile.empty() && !spec.dockerfileInline.empty()) {
    return reader.error("dockerfile and dockerfileInline exclude each other");
  }
  return ok();
}

Result<std::map<std::string, std::string>> parseAnnotations(const JsonReader& metadata) {
  std::map<std::string, std::string> out;
  TRY(const std::optional<JsonReader> map, metadata.optionalObject("annotations"));
  if (map) {
    for (const std::string_view key :
         {kRebuildAnnotation, kRebuildNoCacheAnnotation, kCancelAnnotation}) {
      if (map->has(key)) {
        TRY(out[std::string(key)], map->string(key));
      }
    }
  }
  return out;
}

Result<Metadata> parseMetadata(const JsonReader& reader) {
  Metadata out;
  TRY(out.name, reader.string("name"));
  TRY(out.namespace_, reader.string("namespace", ""));
  TRY(out.uid, reader.string("uid", ""));
  TRY(out.resourceVersion, reader.string("resourceVersion", ""));
  TRY(out.generation, reader.integer("generation", 0));
  TRY(out.annotations, parseAnnotations(reader));
  out.gitOpsOwner = findGitOpsOwner(reader.value());
  TRY(out.creationTimestamp, optionalTime(reader, "creationTimestamp"));
  TRY(out.deletionTimestamp, optionalTime(reader, "deletionTimestamp"));
  return out;
}
}  // namespace

Result<ImageBuildSpec> parseSpec(const JsonReader& reader) {
  CHECK_OK(onlySpecKeys(reader, "spec"));
  ImageBuildSpec out;
  CHECK_OK(parseInputs(reader, out));
  CHECK_OK(parseRemedies(reader, out));
  CHECK_OK(parseTurn(reader, out));
  TRY(out.suspend, reader.boolean("suspend", false));
  TRY(const std::optional<JsonReader> retention, reader.optionalObject("retention"));
  if (retention) {
    TRY(out.retention, parseRetention(*retention));
  }
  TRY(out.onInputChange, parseOnInputChange(reader));
  CHECK_OK(checkTogether(reader, out));
  return out;
}

Result<ImageBuildSpec> parseSpecDefaults(const JsonReader& reader) {
  ImageBuildSpec out;
  CHECK_OK(parseOutputDefaults(reader, out));
  CHECK_OK(parseRemedies(reader, out));
  CHECK_OK(parseTurn(reader, out));
  TRY(const std::optional<JsonReader> retention, reader.optionalObject("retention"));
  if (retention) {
    TRY(out.retention, parseRetention(*retention));
  }
  TRY(out.onInputChange, parseOnInputChange(reader));
  return out;
}

Result<ImageBuild> parseImageBuild(const Json& object) {
  const JsonReader reader(object);
  CHECK_OK(reader.mustBeObject());
  ImageBuild out;
  TRY(const JsonReader metadata, reader.object("metadata"));
  TRY(out.metadata, parseMetadata(metadata));
  TRY(const std::optional<JsonReader> status, reader.optionalObject("status"));
  if (status) {
    TRY(out.status, parseStatus(*status));
  }
  Result<JsonReader> spec = reader.object("spec");
  Result<ImageBuildSpec> parsed =
      spec ? parseSpec(*spec) : Result<ImageBuildSpec>(std::move(spec).error());
  if (parsed) {
    out.spec = std::move(*parsed);
  } else {
    out.specError = std::move(parsed).error();
  }
  return out;
}

Json toJson(const ImageBuildSpec& spec) {
  Json out = Json::object();
  putJson(out, "source", spec.source ? toJson(*spec.source) : Json::object());
  putText(out, "contextDir", spec.contextDir);
  putText(out, "dockerfile", spec.dockerfile);
  putText(out, "dockerfileInline", spec.dockerfileInline);
  putText(out, "target", spec.target);
  putJson(out, "buildArgs", arrayOf(spec.buildArgs));
  putJson(out, "buildContexts", arrayOf(spec.buildContexts));
  putJson(out, "secrets", arrayOf(spec.secrets));
  putJson(out, "ssh", arrayOf(spec.ssh));
  putJson(out, "output", toJson(spec.output));
  Json pullSecrets = Json::array();
  for (const std::string& name : spec.imagePullSecrets) {
    pullSecrets.push_back(nameObject(name));
  }
  putJson(out, "imagePullSecrets", std::move(pullSecrets));
  putJson(out, "registries", arrayOf(spec.registries));
  if (spec.proxy) {
    out["proxy"] = toJson(*spec.proxy);  // an empty one says: none
  }
  if (spec.trustedCA) {
    out["trustedCA"] = toJson(*spec.trustedCA);
  }
  putJson(out, "cache", toJson(spec.cache));
  putJson(out, "workspace", toJson(spec.workspace));
  putJson(out, "execution", toJson(spec.execution));
  putText(out, "queue", spec.queue);
  if (spec.priority) {
    out["priority"] = *spec.priority;
  }
  putDuration(out, "timeout", spec.timeout);
  putDuration(out, "queueTimeout", spec.queueTimeout);
  putJson(out, "retry", toJson(spec.retry));
  if (spec.suspend) {
    out["suspend"] = true;
  }
  putJson(out, "retention", toJson(spec.retention));
  putOnInputChange(out, spec.onInputChange);
  return out;
}

}  // namespace stagewright::api
