// Any bytes as Dockerfile: planning ends in a plan or in kInvalid, and every plan survives being
// written and read. The last byte chooses target, platform and build arguments (a newline chooses
// nothing); the base images have triggers.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib/base/hash.h"
#include "lib/dockerfile/parser.h"
#include "lib/plan/context_use.h"
#include "lib/plan/planner.h"
#include "lib/plan/summary.h"
#include "lib/plan/supported.h"

namespace {

using stagewright::oci::Digest;
namespace dockerfile = stagewright::dockerfile;
namespace plan = stagewright::plan;

constexpr std::size_t kMaxImages = 200;

void mustHold(bool condition) {
  if (!condition) {
    std::abort();
  }
}

plan::BaseImage makeImage(const plan::NeededImage& needed) {
  plan::BaseImage out;
  out.reference = "r.example/b@" + Digest::ofBytes(needed.key).str();
  out.config.platform = needed.platform;
  out.config.env = {"PATH=/bin", "BASE=" + needed.name.substr(0, 64), "NOVALUE"};
  out.config.diffIds = {Digest::ofBytes("l")};
  out.config.onBuild = {"ARG T=1", "COPY --from=0 /a /b", "RUN --mount=from=tool,target=/m x $T",
                        "COPY <<E /e\n$T\nE"};
  out.config.onBuild.resize(needed.name.size() % (out.config.onBuild.size() + 1));
  out.layers.resize(1);
  out.layers[0].digest = out.config.diffIds[0];
  return out;
}

void checkPlan(const plan::PlanInput& input, const plan::BuildPlan& built) {
  const std::string text = plan::serializePlan(built);
  const auto read = plan::parsePlan(text);
  mustHold(read.has_value());
  mustHold(plan::serializePlan(*read) == text);
  mustHold(built.target == static_cast<int>(built.stages.size()) - 1);
  std::size_t layers = 0;
  for (const int stage : plan::baseChain(built, built.target)) {
    const plan::Stage& one = built.stages[static_cast<std::size_t>(stage)];
    layers += one.base.diffIds.size() + one.steps.size();
  }
  for (const auto& entry : built.stages.back().config.history) {
    layers -= entry.emptyLayer ? 0 : 1;
  }
  mustHold(layers == 0);
  const auto summary = plan::summarize(built, Digest::ofBytes(text), "rev");
  mustHold(summary.stages.size() == built.stages.size());
  (void)plan::contextUses(built);
  (void)plan::refuseUnsupported(input, built, {}).has_value();
}

void chooseOptions(std::uint8_t choice, plan::PlanInput& input) {
  if ((choice & 1U) != 0) {
    input.buildArgs = {{"A", "given"}, {"http_proxy", "p"}, {"TARGETARCH", "x"}};
  }
  if ((choice & 2U) != 0) {
    input.target = "0";
  }
  if ((choice & 4U) != 0) {
    input.platform = {"linux", "arm", "v7"};
  }
  if ((choice & 8U) != 0) {
    input.contexts = {{"docs", plan::NamedContext::Kind::kDirectory, ""},
                      {"a", plan::NamedContext::Kind::kImage, "other:1"}};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  plan::PlanInput input;
  input.source.text.assign(reinterpret_cast<const char*>(data), size - 1);
  auto file = dockerfile::parseDockerfile(input.source);
  if (!file) {
    return 0;
  }
  input.file = *std::move(file);
  chooseOptions(static_cast<std::uint8_t>(data[size - 1] ^ '\n'), input);
  plan::KnownImages known;
  while (true) {
    const auto needed = plan::neededImages(input, known);
    if (!needed) {
      mustHold(needed.error().code == stagewright::Code::kInvalid);
      return 0;
    }
    if (needed->empty()) {
      break;
    }
    mustHold(known.size() < kMaxImages || input.source.text.size() > kMaxImages);
    for (const plan::NeededImage& image : *needed) {
      mustHold(known.emplace(image.key, makeImage(image)).second);
    }
  }
  const auto built = plan::planBuild(input, known);
  if (built) {
    checkPlan(input, *built);
  } else {
    mustHold(built.error().code == stagewright::Code::kInvalid);
  }
  return 0;
}
