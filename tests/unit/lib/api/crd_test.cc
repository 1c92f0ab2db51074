// The CRD and lib/api must know the same fields: a field that only one of them has would be pruned
// by the API server or refused by the operator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "lib/api/identity.h"
#include "lib/api/image_build.h"
#include "lib/api/spec_keys.h"
#include "tests/support/source_dir.h"
#include "tests/unit/lib/api/crd_schema.h"

namespace stagewright::api {
namespace {

using testing::collectKeys;
using testing::findGaps;
using ::testing::IsEmpty;

const Json& crd() {
  static const Json kCrd = testing::loadCrd(sourceDir() / "crds/imagebuilds.yaml");
  return kCrd;
}

const Json& version() { return crd().at("spec").at("versions").at(0); }
const Json& rootSchema() { return version().at("schema").at("openAPIV3Schema"); }
const Json& schemaOf(const std::string& part) { return rootSchema().at("properties").at(part); }

TEST(Crd, HasExactlyTheFieldsThatLibApiReads) {
  std::map<std::string, std::set<std::string>> inCrd;
  collectKeys(schemaOf("spec"), "spec", inCrd);
  std::map<std::string, std::set<std::string>> inApi;
  for (const KeySet& set : specKeys()) {
    inApi[std::string(set.path)] = {set.keys.begin(), set.keys.end()};
  }
  EXPECT_EQ(inCrd, inApi);
}

bool isDuration(std::string_view path) {
  return path.ends_with("imeout") || path.ends_with("TTL") || path.ends_with("AfterFinished") ||
         path == "spec.retention.workspace";
}

bool isProxyUrl(std::string_view path) {
  return path == "spec.proxy.http" || path == "spec.proxy.https";
}

/// The value of an enumeration that lets every field beside it be set.
Json choiceOf(const Json& values, const std::string& path) {
  const Json wanted = path == "spec.output.timestamp.policy" ? Json("Fixed")
                      : path == "spec.cache.mode"            ? Json("Registry")
                                                             : values.at(0);
  EXPECT_NE(std::find(values.begin(), values.end(), wanted), values.end()) << path;
  return wanted;
}

/// A value of every field that the schema has. One alternative of each one-of is left out by name.
Json fullValue(const Json& schema, const std::set<std::string>& without, const std::string& path) {
  if (schema.contains("properties")) {
    Json out = Json::object();
    for (const auto& [key, child] : schema.at("properties").items()) {
      if (!without.contains(path + "." + key)) {
        out[key] = fullValue(child, without, path + "." + key);
      }
    }
    return out;
  }
  if (schema.contains("items")) {
    return Json::array({fullValue(schema.at("items"), without, path + "[]")});
  }
  if (schema.contains("additionalProperties")) {
    return {{"free", "value"}};
  }
  if (schema.contains("enum")) {
    return choiceOf(schema.at("enum"), path);
  }
  if (path == "spec.output.timestamp.time") {
    return "2026-01-02T03:04:05Z";
  }
  if (isProxyUrl(path)) {
    return "http://proxy.example:3128";
  }
  const std::string type = schema.value("type", "quantity");
  return type == "boolean"   ? Json(true)
         : type == "integer" ? Json(7)
         : isDuration(path)  ? Json("1h")
                             : Json("text of " + path);
}

/// One value of every field at a time; each leaves one alternative of every one-of out.
const std::set<std::string> kAlternatives[] = {
    {"spec.source.configMap", "spec.dockerfileInline", "spec.output.image",
     "spec.workspace.claimName", "spec.source.git.ref.branch", "spec.source.git.ref.tag",
     "spec.buildArgs[].value"},
    {"spec.source.git", "spec.dockerfile", "spec.output.repository", "spec.output.tags",
     "spec.workspace.storageClassName", "spec.workspace.accessMode", "spec.workspace.size",
     "spec.buildArgs[].valueFrom"},
    {"spec.source.configMap", "spec.dockerfileInline", "spec.output.image",
     "spec.workspace.claimName", "spec.source.git.ref.branch", "spec.source.git.ref.commit",
     "spec.buildArgs[].valueFrom"},
    {"spec.source.configMap", "spec.dockerfileInline", "spec.output.image",
     "spec.workspace.claimName", "spec.source.git.ref.tag", "spec.source.git.ref.commit",
     "spec.buildArgs[].value"}};

TEST(Crd, EveryFieldIsReadAndWrittenBack) {
  for (const std::set<std::string>& without : kAlternatives) {
    const Json full = fullValue(schemaOf("spec"), without, "spec");
    const Result<ImageBuildSpec> spec = parseSpec(JsonReader(full, "spec"));
    ASSERT_TRUE(spec) << spec.error().message;
    EXPECT_EQ(toJson(*spec), full);
  }
}

/// Fields that hold values, with their schema: `spec.output.labels[].name`.
void collectLeaves(const Json& schema, const std::string& path, std::map<std::string, Json>& out) {
  if (schema.contains("properties")) {
    for (const auto& [key, child] : schema.at("properties").items()) {
      collectLeaves(child, path + "." + key, out);
    }
  } else if (schema.contains("items")) {
    collectLeaves(schema.at("items"), path + "[]", out);
  } else {
    out[path] = schema;
  }
}

Json otherValue(const Json& schema, const std::string& path) {
  if (schema.contains("additionalProperties")) {
    return {{"free", "other"}};
  }
  if (schema.contains("enum")) {
    const Json& values = schema.at("enum");
    return values.at(1) == choiceOf(values, path) ? values.at(0) : values.at(1);
  }
  if (path == "spec.output.timestamp.time") {
    return "2026-01-02T03:04:06Z";
  }
  if (isProxyUrl(path)) {
    return "http://other.example:3128";
  }
  const std::string type = schema.value("type", "quantity");
  return type == "boolean"   ? Json(false)
         : type == "integer" ? Json(6)
         : isDuration(path)  ? Json("2h")
                             : Json("other text of " + path);
}

/// `spec.output.labels[].name` -> /output/labels/0/name
Json::json_pointer pointerTo(const std::string& path) {
  std::string out;
  for (std::size_t i = std::string_view("spec").size(); i < path.size(); ++i) {
    if (path.compare(i, 2, "[]") == 0) {
      out += "/0";
      ++i;
    } else {
      out += path[i] == '.' ? '/' : path[i];
    }
  }
  return Json::json_pointer(out);
}

enum class Class { kInput, kRemedy, kBoth, kRest };

/// api.md, "Kinds of fields". A field of the CRD that is not below one of these fails the test: who
/// adds one has to say what an edit of it does. The longest prefix counts.
const std::map<std::string, Class> kClasses = {
    {"spec.source", Class::kInput},
    {"spec.source.git.secretRef", Class::kRemedy},
    {"spec.contextDir", Class::kInput},
    {"spec.dockerfile", Class::kInput},
    {"spec.dockerfileInline", Class::kInput},
    {"spec.target", Class::kInput},
    {"spec.buildArgs", Class::kInput},
    {"spec.buildContexts", Class::kInput},
    {"spec.secrets", Class::kRemedy},
    {"spec.secrets[].id", Class::kBoth},
    {"spec.ssh", Class::kRemedy},
    {"spec.ssh[].id", Class::kBoth},
    {"spec.output", Class::kInput},
    {"spec.output.secretRef", Class::kRemedy},
    {"spec.imagePullSecrets", Class::kRemedy},
    {"spec.registries", Class::kRemedy},
    {"spec.proxy", Class::kRemedy},
    {"spec.trustedCA", Class::kRemedy},
    {"spec.cache", Class::kRemedy},
    {"spec.workspace", Class::kRemedy},
    {"spec.execution", Class::kRemedy},
    {"spec.timeout", Class::kRemedy},
    {"spec.queueTimeout", Class::kRemedy},
    {"spec.queue", Class::kRest},
    {"spec.priority", Class::kRest},
    {"spec.retry", Class::kRemedy},
    {"spec.retention", Class::kRest},
    {"spec.onInputChange", Class::kRest},
    {"spec.suspend", Class::kRest},
};

std::optional<Class> classOf(const std::string& path) {
  std::optional<Class> out;
  std::size_t longest = 0;
  for (const auto& [prefix, kind] : kClasses) {
    const bool below =
        path.starts_with(prefix) &&
        (path.size() == prefix.size() || path[prefix.size()] == '.' || path[prefix.size()] == '[');
    if (below && prefix.size() > longest) {
      longest = prefix.size();
      out = kind;
    }
  }
  return out;
}

ImageBuildSpec mustParse(const Json& spec) {
  Result<ImageBuildSpec> out = parseSpec(JsonReader(spec, "spec"));
  EXPECT_TRUE(out) << out.error().message;
  return out ? std::move(*out) : ImageBuildSpec();
}

TEST(Crd, EveryFieldIsAnInputARemedyOrNeither) {
  std::map<std::string, Json> leaves;
  collectLeaves(schemaOf("spec"), "spec", leaves);
  EXPECT_GT(leaves.size(), 50U);
  for (const auto& [path, schema] : leaves) {
    const std::optional<Class> kind = classOf(path);
    ASSERT_TRUE(kind) << path << " is in no class";
    const auto without = std::find_if(
        std::begin(kAlternatives), std::end(kAlternatives), [&, &leaf = path](const auto& set) {
          return std::none_of(set.begin(), set.end(), [&](const std::string& left) {
            return leaf == left || leaf.starts_with(left + ".");
          });
        });
    ASSERT_NE(without, std::end(kAlternatives)) << path;
    Json full = fullValue(schemaOf("spec"), *without, "spec");
    if (path == "spec.registries[].tls") {
      full["registries"][0].erase("trustedCA");  // goes with Verify only
    }
    if (path == "spec.output.format") {
      full["output"].erase("annotations");  // go with OCI only
    }
    Json edited = full;
    edited[pointerTo(path)] = otherValue(schema, path);
    if (path == "spec.output.timestamp.policy") {
      edited["output"]["timestamp"].erase("time");  // goes with Fixed only
    }
    if (path == "spec.cache.mode") {
      edited["cache"].erase("repository");  // goes with Registry only
    }
    ASSERT_NE(edited, full) << path;
    const ImageBuildSpec before = mustParse(full);
    const ImageBuildSpec after = mustParse(edited);
    EXPECT_EQ(inputHash(before, "") != inputHash(after, ""),
              kind == Class::kInput || kind == Class::kBoth)
        << path;
    EXPECT_EQ(remediesHash(before) != remediesHash(after),
              kind == Class::kRemedy || kind == Class::kBoth)
        << path;
  }
}

TEST(Crd, EveryFieldOfStatusIsReadAndWrittenBack) {
  Json full = fullValue(schemaOf("status"), {"status.run.duration"}, "status");
  // Values that have a form.
  const std::string time = "2026-11-23T08:00:01Z";
  for (Json* part : {&full["run"], &full["run"]["prepare"], &full["run"]["publish"],
                     &full["stages"][0], &full["lastSuccessful"], &full["history"][0]}) {
    for (const char* key :
         {"startTime", "admittedTime", "activeTime", "completionTime", "failingSince", "retryAt"}) {
      if (part->contains(key)) {
        (*part)[key] = time;
      }
    }
  }
  for (Json* part : {&full["run"]["prepare"], &full["run"]["publish"], &full["stages"][0]}) {
    (*part)["state"] = "Backoff";
  }
  full["conditions"][0]["lastTransitionTime"] = time;
  const Result<ImageBuildStatus> status = parseStatus(JsonReader(full, "status"));
  ASSERT_TRUE(status) << status.error().message;
  full["run"]["duration"] = "7s";  // made from durationSeconds
  EXPECT_EQ(toJson(*status), full);
}

TEST(Crd, IsBoundedAndExplainedEverywhere) {
  std::vector<std::string> gaps;
  findGaps(schemaOf("spec"), "spec", gaps);
  findGaps(schemaOf("status"), "status", gaps);
  EXPECT_THAT(gaps, IsEmpty());
}

TEST(Crd, IsTheKindThatLibApiNames) {
  const Json& spec = crd().at("spec");
  EXPECT_EQ(spec.at("group"), kGroup);
  EXPECT_EQ(spec.at("names").at("kind"), kKind);
  EXPECT_EQ(spec.at("names").at("plural"), kPlural);
  EXPECT_EQ(spec.at("names").at("shortNames"), Json::array({"imgb"}));
  EXPECT_EQ(spec.at("names").at("categories"), Json::array({"stagewright"}));
  EXPECT_EQ(version().at("name"), kVersion);
  EXPECT_TRUE(version().at("subresources").contains("status"));
  EXPECT_EQ(schemaOf("status").at("default"), (Json{{"observedGeneration", -1}}));
  EXPECT_EQ(rootSchema().at("x-kubernetes-validations").at(0).at("rule"),
            "self.metadata.name.size() <= " + std::to_string(kMaxNameLength));
}

}  // namespace
}  // namespace stagewright::api
