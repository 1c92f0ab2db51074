// Walks over the schema of a CRD, for tests that compare it with the code.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/lib/api/crd_yaml.h"

namespace stagewright::api::testing {

inline Json loadCrd(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return CrdYaml::parse(text.str());
}

/// Objects with named fields below `schema`, as `path: {fields}`.
inline void collectKeys(const Json& schema, const std::string& path,
                 std::map<std::string, std::set<std::string>>& out) {
  if (schema.contains("properties")) {
    for (const auto& [key, child] : schema.at("properties").items()) {
      out[path].insert(key);
      collectKeys(child, path + "." + key, out);
    }
  }
  if (schema.contains("items")) {
    collectKeys(schema.at("items"), path + "[]", out);
  }
}

/// What the API server would otherwise accept without limit, or kubectl explain would leave
/// unexplained.
inline void findGaps(const Json& schema, const std::string& path, std::vector<std::string>& gaps) {
  const std::string type = schema.value("type", "");
  const bool root = path == "spec" || path == "status";
  if (!root && !path.ends_with("[]") && !schema.contains("description")) {
    gaps.push_back(path + ": no description");
  }
  if (type == "string" && !schema.contains("maxLength") && !schema.contains("enum") &&
      schema.value("format", "") != "date-time") {
    gaps.push_back(path + ": no maxLength");
  }
  if (type == "array" &&
      (!schema.contains("maxItems") || !schema.contains("x-kubernetes-list-type"))) {
    gaps.push_back(path + ": no maxItems or list type");
  }
  if (schema.contains("additionalProperties") && !schema.contains("maxProperties")) {
    gaps.push_back(path + ": no maxProperties");
  }
  if (schema.contains("default") && path != "status") {
    gaps.push_back(path + ": has a default; what the user set could not be told any more");
  }
  for (const Json& rule : schema.value("x-kubernetes-validations", Json::array())) {
    if (!rule.contains("message")) {
      gaps.push_back(path + ": a rule without a message");
    }
  }
  const Json properties = schema.value("properties", Json::object());
  for (const auto& [key, child] : properties.items()) {
    EXPECT_NE(key, "namespace") << "references are names in the build's own namespace";
    findGaps(child, path + "." + key, gaps);
  }
  if (schema.contains("items")) {
    findGaps(schema.at("items"), path + "[]", gaps);
  }
}

}  // namespace stagewright::api::testing
