// Dockerfile texts to plans, with made-up base images.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/base/hash.h"
#include "lib/dockerfile/parser.h"
#include "lib/plan/planner.h"

namespace stagewright::plan {

struct Given {
  std::vector<std::pair<std::string, std::string>> args = {};
  std::string target = {};
  std::vector<std::pair<std::string, std::string>> labels = {};
  std::vector<std::pair<std::string, oci::ImageConfig>> images =
      {};  ///< by name; others are made up
  std::vector<NamedContext> contexts = {};
  std::string platform = "linux/amd64";
  std::string buildPlatform = "linux/amd64";
  std::vector<std::pair<std::string, std::string>> proxies = {};
  std::string authorities = {};
};

inline Result<PlanInput> makeInput(const std::string& text, const Given& given = {}) {
  PlanInput out;
  out.source.text = text;
  TRY(out.file, dockerfile::parseDockerfile(out.source));
  out.buildArgs = given.args;
  out.proxies = given.proxies;
  out.authorities = given.authorities;
  out.target = given.target;
  out.labels = given.labels;
  out.contexts = given.contexts;
  TRY(out.platform, oci::parsePlatform(given.platform));
  TRY(out.buildPlatform, oci::parsePlatform(given.buildPlatform));
  return out;
}

/// An image of one layer with a PATH; its digests come from its name.
inline BaseImage makeImage(const NeededImage& needed, const Given& given) {
  BaseImage out;
  out.reference =
      "registry.example/" + std::string(1, 'b') + "@" + oci::Digest::ofBytes(needed.key).str();
  out.config.platform = needed.platform;
  out.config.env = {"PATH=/bin"};
  out.config.diffIds = {oci::Digest::ofBytes("layer of " + needed.name)};
  out.config.history = {{"", "base", "", "", false}};
  for (const auto& [name, config] : given.images) {
    if (name == needed.name) {
      out.config = config;
    }
  }
  for (const oci::Digest& diffId : out.config.diffIds) {
    out.layers.push_back({std::string(oci::kMediaLayerGzip), diffId, 1, std::nullopt, {}});
  }
  return out;
}

/// As a caller does it: resolve what is named until nothing new is.
inline Result<KnownImages> resolveAll(const PlanInput& input, const Given& given = {}) {
  KnownImages known;
  while (true) {
    TRY(const std::vector<NeededImage> needed, neededImages(input, known));
    if (needed.empty()) {
      return known;
    }
    for (const NeededImage& image : needed) {
      known[image.key] = makeImage(image, given);
    }
  }
}

inline Result<BuildPlan> planOf(const std::string& text, const Given& given = {}) {
  TRY(const PlanInput input, makeInput(text, given));
  TRY(const KnownImages known, resolveAll(input, given));
  return planBuild(input, known);
}

inline std::string errorOf(const std::string& text, const Given& given = {}) {
  const auto plan = planOf(text, given);
  return plan ? "(no error)" : plan.error().message;
}

inline const Stage& targetOf(const BuildPlan& plan) {
  return plan.stages[static_cast<std::size_t>(plan.target)];
}

/// `created_by` of the entries after the base's `skip`; "-" in front of those without a layer.
inline std::vector<std::string> historyOf(const BuildPlan& plan, std::size_t skip = 0) {
  std::vector<std::string> out;
  const auto& history = targetOf(plan).config.history;
  for (std::size_t i = skip; i < history.size(); ++i) {
    out.push_back((history[i].emptyLayer ? "-" : "") + history[i].createdBy);
  }
  return out;
}

template <class T>
const T& stepOf(const BuildPlan& plan, std::size_t index) {
  return std::get<T>(targetOf(plan).steps.at(index).action);
}

}  // namespace stagewright::plan
