#include "lib/api/identity.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/hash.h"

namespace stagewright::api {

namespace {
constexpr std::size_t kMaxToken = 1024;

void sortByKey(Json& object, const char* list, const char* key) {
  const auto it = object.find(list);
  if (it != object.end()) {
    std::sort(it->begin(), it->end(), [&](const Json& a, const Json& b) {
      return a.at(key).get<std::string>() < b.at(key).get<std::string>();
    });
  }
}

void move(Json& from, Json& to, const char* key) {
  const auto it = from.find(key);
  if (it != from.end()) {
    to[key] = std::move(*it);
    from.erase(it);
  }
}

/// Which ids there are is an input; which Secret stands behind one is a remedy.
void splitSecrets(Json& inputs, Json& remedies, const char* list) {
  const auto it = inputs.find(list);
  if (it == inputs.end()) {
    return;
  }
  remedies[list] = *it;
  for (Json& secret : *it) {
    secret.erase("secretKeyRef");
  }
  sortByKey(inputs, list, "id");
  sortByKey(remedies, list, "id");
}

struct Parts {
  Json inputs;
  Json remedies = Json::object();
};

/// What is neither (queue, priority, suspend, retention …) is dropped.
Parts split(const ImageBuildSpec& spec) {
  Parts out;
  out.inputs = toJson(spec);
  for (const char* key : {"imagePullSecrets", "registries", "proxy", "trustedCA", "cache",
                          "workspace", "execution", "timeout", "queueTimeout", "retry"}) {
    move(out.inputs, out.remedies, key);
  }
  move(out.inputs["output"], out.remedies["output"], "secretRef");
  if (spec.source && spec.source->git) {
    move(out.inputs["source"]["git"], out.remedies["source"], "secretRef");
  }
  splitSecrets(out.inputs, out.remedies, "secrets");
  splitSecrets(out.inputs, out.remedies, "ssh");
  for (const char* key : {"queue", "priority", "suspend", "retention", "onInputChange"}) {
    out.inputs.erase(key);
  }
  return out;
}

std::string hashOf(const Json& value) { return "sha256:" + sha256Hex(dumpJson(value)); }
}  // namespace

namespace {
std::string tokenOr(const ImageBuild& build, std::string_view annotation,
                    const std::string& handled) {
  const auto it = build.metadata.annotations.find(std::string(annotation));
  if (it == build.metadata.annotations.end() || it->second.empty()) {
    return handled;
  }
  // An annotation may be longer than what status can hold.
  return it->second.size() <= kMaxToken ? it->second : "sha256:" + sha256Hex(it->second);
}
}  // namespace

std::string rebuildToken(const ImageBuild& build) {
  return tokenOr(build, kRebuildAnnotation, build.status.lastHandledRebuild);
}

std::string noCacheToken(const ImageBuild& build) {
  return tokenOr(build, kRebuildNoCacheAnnotation, build.status.lastHandledNoCacheRebuild);
}

std::string joinTokens(const std::string& rebuild, const std::string& noCache) {
  return noCache.empty() ? rebuild : rebuild + "\n" + noCache;
}

std::string inputHash(const ImageBuildSpec& spec, std::string_view token) {
  Json inputs = split(spec).inputs;
  sortByKey(inputs, "buildArgs", "name");
  sortByKey(inputs, "buildContexts", "name");
  sortByKey(inputs["output"], "labels", "name");
  sortByKey(inputs["output"], "annotations", "name");
  if (inputs["output"].contains("tags")) {
    std::sort(inputs["output"]["tags"].begin(), inputs["output"]["tags"].end());
  }
  return hashOf({{"inputs", std::move(inputs)}, {"rebuild", token}});
}

std::string remediesHash(const ImageBuildSpec& spec) {
  Json remedies = split(spec).remedies;
  sortByKey(remedies, "registries", "host");
  if (remedies.contains("execution")) {
    sortByKey(remedies["execution"], "stages", "stage");
  }
  return hashOf(remedies);
}

std::string makeRunId(std::string_view uid, std::string_view inputHash, std::int64_t sequence) {
  const std::string text =
      std::string(uid) + "\n" + std::string(inputHash) + "\n" + std::to_string(sequence);
  const Result<std::string> raw = fromHex(sha256Hex(text));
  return toBase32Lower(raw.value()).substr(0, 10);
}

}  // namespace stagewright::api
