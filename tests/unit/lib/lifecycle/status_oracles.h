// What must hold for every status that planBuild ever writes: the contract of kstatus and of
// `kubectl wait`, and the bounds of the CRD, beyond which the API server would refuse or prune.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "lib/api/status.h"
#include "tests/support/source_dir.h"
#include "tests/unit/lib/api/crd_yaml.h"

namespace stagewright::lifecycle::testing {

/// What kstatus (cli-utils), and with it Flux and `kubectl apply --wait`, makes of an object that
/// is not being deleted; in its order.
inline std::string kstatusOf(const api::ImageBuildStatus& status, std::int64_t generation) {
  if (status.observedGeneration != generation || status.conditions.isTrue("Reconciling")) {
    return "InProgress";
  }
  if (status.conditions.isTrue("Stalled")) {
    return "Failed";
  }
  const api::Condition* ready = status.conditions.find("Ready");
  return ready == nullptr || ready->status == api::Truth::kTrue ? "Current" : "InProgress";
}

/// Items 28 and 29 of the controllers' checklist.
inline void expectKstatus(const api::ImageBuildStatus& status, std::int64_t generation) {
  const api::ConditionSet& set = status.conditions;
  const api::Condition* ready = set.find("Ready");
  ASSERT_NE(ready, nullptr);
  const std::string kstatus = kstatusOf(status, generation);
  switch (ready->status) {
    case api::Truth::kTrue:
      EXPECT_EQ(kstatus, "Current");
      break;
    case api::Truth::kFalse:
      EXPECT_EQ(kstatus, "Failed");
      break;
    case api::Truth::kUnknown:
      EXPECT_EQ(kstatus, "InProgress");
      break;
  }
  EXPECT_EQ(set.isTrue("Finished"), ready->status != api::Truth::kUnknown);
  EXPECT_FALSE(set.isTrue("Reconciling") && set.isTrue("Stalled"));
  EXPECT_EQ(status.observedGeneration, generation);
  for (const char* type : {"Reconciling", "Stalled"}) {
    EXPECT_TRUE(set.find(type) == nullptr || set.isTrue(type))
        << type << " is there only when true";
  }
  const api::Condition* succeeded = set.find("Succeeded");
  ASSERT_NE(succeeded, nullptr);
  EXPECT_EQ(succeeded->status, ready->status);
  EXPECT_EQ(succeeded->reason, ready->reason);
  ASSERT_NE(set.find("Finished"), nullptr);
  for (const api::Condition& condition : set.all()) {
    EXPECT_FALSE(condition.reason.empty()) << condition.type;
    EXPECT_LE(condition.observedGeneration, generation) << condition.type;
  }
  for (const char* type : {"Ready", "Succeeded", "Finished", "Reconciling", "Stalled"}) {
    const api::Condition* condition = set.find(type);
    EXPECT_TRUE(condition == nullptr || condition->observedGeneration == generation) << type;
  }
  if (ready->status == api::Truth::kTrue) {
    ASSERT_TRUE(status.run && status.image && status.lastSuccessful);
    EXPECT_EQ(status.lastSuccessful->runID, status.run->id);
    EXPECT_FALSE(status.failure);
  } else if (ready->status == api::Truth::kFalse && ready->reason != "Cancelled") {
    ASSERT_TRUE(status.failure);
    EXPECT_EQ(status.failure->reason, ready->reason);
  }
}

inline const Json& statusSchema() {
  static const Json kSchema = [] {
    std::ifstream in(sourceDir() / "crds/imagebuilds.yaml");
    std::stringstream text;
    text << in.rdbuf();
    const Json crd = api::testing::CrdYaml::parse(text.str());
    return crd.at("/spec/versions/0/schema/openAPIV3Schema/properties/status"_json_pointer);
  }();
  return kSchema;
}

inline std::size_t countCharacters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

inline void expectWithinSchema(const Json& value, const Json& schema = statusSchema(),
                               const std::string& path = "status") {
  if (value.is_object()) {
    for (const auto& [key, child] : value.items()) {
      ASSERT_TRUE(schema.contains("properties") && schema.at("properties").contains(key))
          << path << "." << key << " would be pruned";
      expectWithinSchema(child, schema.at("properties").at(key), path + "." + key);
    }
  } else if (value.is_array()) {
    EXPECT_LE(value.size(), schema.value("maxItems", std::size_t{0})) << path;
    for (const Json& item : value) {
      expectWithinSchema(item, schema.at("items"), path + "[]");
    }
  } else if (value.is_string() && schema.contains("maxLength")) {
    EXPECT_LE(countCharacters(value.get<std::string>()), schema.at("maxLength").get<std::size_t>())
        << path << ": " << value;
  }
}

}  // namespace stagewright::lifecycle::testing
