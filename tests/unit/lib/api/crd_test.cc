// The CRD and lib/api must know the same fields: a field that only one of them has would be pruned
// by the API server or refused by the operator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "lib/api/image_build.h"
#include "lib/api/spec_keys.h"
#include "tests/unit/lib/api/crd_schema.h"

namespace stagewright::api {
namespace {

using testing::collectKeys;
using testing::findGaps;
using ::testing::IsEmpty;

const Json& crd() {
  static const Json kCrd = testing::loadCrd(STAGEWRIGHT_SOURCE_DIR "/crds/imagebuilds.yaml");
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
    return schema.at("enum").at(0);
  }
  const std::string type = schema.value("type", "quantity");
  return type == "boolean"                                       ? Json(true)
         : type == "integer"                                     ? Json(7)
         : path == "spec.timeout" || path == "spec.queueTimeout" ? Json("1h")
                                                                 : Json("text of " + path);
}

TEST(Crd, EveryFieldIsReadAndWrittenBack) {
  const std::set<std::string> alternatives[] = {
      {"spec.source.configMap", "spec.dockerfileInline", "spec.output.image",
       "spec.workspace.claimName", "spec.source.git.ref.branch", "spec.source.git.ref.tag"},
      {"spec.source.git", "spec.dockerfile", "spec.output.repository", "spec.output.tags",
       "spec.workspace.storageClassName", "spec.workspace.accessMode", "spec.workspace.size"},
      {"spec.source.configMap", "spec.dockerfileInline", "spec.output.image",
       "spec.workspace.claimName", "spec.source.git.ref.branch", "spec.source.git.ref.commit"},
      {"spec.source.configMap", "spec.dockerfileInline", "spec.output.image",
       "spec.workspace.claimName", "spec.source.git.ref.tag", "spec.source.git.ref.commit"}};
  for (const std::set<std::string>& without : alternatives) {
    const Json full = fullValue(schemaOf("spec"), without, "spec");
    const Result<ImageBuildSpec> spec = parseSpec(JsonReader(full, "spec"));
    ASSERT_TRUE(spec) << spec.error().message;
    EXPECT_EQ(toJson(*spec), full);
  }
}

TEST(Crd, EveryFieldOfStatusIsReadAndWrittenBack) {
  Json full = fullValue(schemaOf("status"), {"status.run.duration"}, "status");
  // Values that have a form.
  const std::string time = "2026-11-23T08:00:01Z";
  for (Json* part : {&full["run"], &full["run"]["prepare"], &full["run"]["publish"],
                     &full["stages"][0], &full["lastSuccessful"]}) {
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
