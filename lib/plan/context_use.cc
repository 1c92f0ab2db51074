#include "lib/plan/context_use.h"

#include <algorithm>
#include <tuple>

#include "lib/plan/text.h"

namespace stagewright::plan {

namespace {

bool hasWildcards(std::string_view path) {
  return path.find_first_of("*?[\\") != std::string_view::npos;
}

ContextUse useOf(const CopyStep& copy, const CopySource& source) {
  std::string path = source.path;
  if (const std::size_t at = copy.parents ? path.find(kPivot) : std::string::npos;
      at != std::string::npos) {
    path.replace(at, kPivot.size(), "/");
  }
  const bool pattern = hasWildcards(path);
  return {std::move(path), pattern, pattern && copy.parents};
}

void addCopy(const CopyStep& copy, std::string_view context, std::vector<ContextUse>& out) {
  const auto wanted =
      context.empty() ? CopySource::From::kContext : CopySource::From::kNamedContext;
  for (const CopySource& source : copy.sources) {
    if (source.from == wanted && source.context == context) {
      out.push_back(useOf(copy, source));
    }
  }
}

void addMounts(const RunStep& run, std::string_view context, std::vector<ContextUse>& out) {
  for (const Mount& mount : run.mounts) {
    if (mount.type == Mount::Type::kBind && mount.fromStage < 0 && mount.context == context) {
      out.push_back({mount.source, false, false});
    }
  }
}

}  // namespace

ContextUse contextUseOf(const CopyStep& copy, const CopySource& source) {
  return useOf(copy, source);
}

std::vector<ContextUse> contextUses(const BuildPlan& plan, std::string_view context) {
  std::vector<ContextUse> out;
  for (const Stage& stage : plan.stages) {
    for (const Step& step : stage.steps) {
      if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
        addCopy(*copy, context, out);
      } else if (const auto* run = std::get_if<RunStep>(&step.action)) {
        addMounts(*run, context, out);
      }
    }
  }
  if (std::any_of(out.begin(), out.end(), [](const ContextUse& use) { return use.path == "."; })) {
    return {{".", false, false}};
  }
  const auto key = [](const ContextUse& use) {
    return std::tie(use.path, use.wildcards, use.doubleStar);
  };
  std::sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace stagewright::plan
