// The CRD of BuildPolicy and lib/policy must know the same fields.
#include <gmock/gmock.h>

#include "lib/api/spec_keys.h"
#include "lib/policy/policy.h"
#include "tests/support/source_dir.h"
#include "tests/unit/lib/api/crd_schema.h"

namespace stagewright::policy {
namespace {

using api::testing::collectKeys;
using api::testing::findGaps;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Json& crd() {
  static const Json kCrd = api::testing::loadCrd(sourceDir() / "crds/buildpolicies.yaml");
  return kCrd;
}
const Json& schema() {
  return crd().at("spec").at("versions").at(0).at("schema").at("openAPIV3Schema").at("properties").at("spec");
}

bool isDuration(std::string_view path) {
  return path.ends_with("imeout") || path.ends_with("TTL") || path.ends_with("AfterFinished") ||
         path == "spec.defaults.retention.workspace";
}

/// A value of every field of the schema.
Json fullValue(const Json& of, const std::string& path) {
  if (of.contains("properties")) {
    Json out = Json::object();
    for (const auto& [key, child] : of.at("properties").items()) {
      out[key] = fullValue(child, path + "." + key);
    }
    return out;
  }
  if (of.contains("items")) {
    return Json::array({fullValue(of.at("items"), path + "[]")});
  }
  if (of.contains("additionalProperties")) {
    return {{"free", "value"}};
  }
  if (of.contains("enum")) {
    return path == "spec.defaults.cache.mode" ? Json("Registry") : of.at("enum").at(0);
  }
  if (path == "spec.defaults.cache.repository") {
    return "registry.example/$(namespace)/cache";
  }
  if (path == "spec.defaults.proxy.http" || path == "spec.defaults.proxy.https") {
    return "http://proxy.example:3128";
  }
  return of.value("type", "") == "integer" ? Json(7) : isDuration(path) ? Json("1h") : Json("text");
}

TEST(PolicyCrd, EveryFieldIsRead) {
  Json spec = fullValue(schema(), "spec");
  spec["admission"] = "Hold";
  const Result<BuildPolicy> parsed = parsePolicy({{"metadata", {{"name", "p"}}}, {"spec", spec}});
  ASSERT_TRUE(parsed);
  ASSERT_FALSE(parsed->error) << parsed->error->message;
  const BuildPolicy& policy = *parsed;
  EXPECT_THAT(policy.namespaces.requirements, SizeIs(2));
  EXPECT_EQ(policy.precedence, 7);
  EXPECT_TRUE(policy.hold);
  EXPECT_EQ(policy.admissionMessage, "text");
  EXPECT_TRUE(policy.allowed.baseImages && policy.allowed.outputs && policy.allowed.isolation &&
              policy.allowed.storageClasses && policy.allowed.nodeSelector &&
              policy.allowed.tolerations && policy.allowed.priorityClasses &&
              policy.allowed.runtimeClasses && policy.allowed.serviceAccounts);
  EXPECT_THAT(policy.allowed.nodeSelector->at(0).values, SizeIs(1));
  EXPECT_THAT(policy.allowed.tolerations->at(0).effects, SizeIs(1));
  EXPECT_EQ(policy.limits.runningBuilds, 7);
  EXPECT_THAT(policy.limits.queues, SizeIs(1));
  EXPECT_EQ(policy.limits.timeout, Millis(std::chrono::hours(1)));
  EXPECT_EQ(policy.limits.stages, 7);
  EXPECT_EQ(policy.limits.parallelStages, 7);
  EXPECT_EQ(policy.limits.workspaceSize, "text");
  EXPECT_THAT(policy.limits.resources, SizeIs(3));
  // Everything in defaults is read, and nothing else is.
  EXPECT_EQ(api::toJson(policy.defaults), spec["defaults"]);
}

TEST(PolicyCrd, DefaultsHaveTheNamesTheyHaveInAnImageBuild) {
  std::map<std::string, std::set<std::string>> inCrd;
  collectKeys(schema().at("properties").at("defaults"), "spec", inCrd);
  for (const auto& [path, keys] : inCrd) {
    const std::string of = path;
    const auto set = std::find_if(api::specKeys().begin(), api::specKeys().end(),
                                  [&](const api::KeySet& candidate) { return candidate.path == of; });
    ASSERT_NE(set, api::specKeys().end()) << path;
    for (const std::string& key : keys) {
      EXPECT_NE(std::find(set->keys.begin(), set->keys.end(), key), set->keys.end()) << path << "." << key;
    }
  }
}

TEST(PolicyCrd, IsBoundedAndExplainedEverywhere) {
  std::vector<std::string> gaps;
  findGaps(schema(), "spec", gaps);
  EXPECT_THAT(gaps, IsEmpty());
}

TEST(PolicyCrd, IsTheKindThatLibPolicyNames) {
  const Json& names = crd().at("spec").at("names");
  EXPECT_EQ(names.at("kind"), kKind);
  EXPECT_EQ(names.at("plural"), kPlural);
  EXPECT_EQ(crd().at("spec").at("scope"), "Cluster");
  EXPECT_EQ(crd().at("spec").at("group"), api::kGroup);
}

}  // namespace
}  // namespace stagewright::policy
