#include "lib/plan/stage_graph.h"

#include <algorithm>
#include <set>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/expand.h"
#include "lib/dockerfile/parser.h"
#include "lib/dockerfile/values.h"
#include "lib/oci/reference.h"
#include "lib/plan/text.h"

namespace stagewright::plan {

namespace {

constexpr std::size_t kMaxFileStages = 10000;
constexpr std::string_view kScratch = "scratch";

/// What strconv.Atoi takes, within bounds that matter here; out of them it is an index that cannot
/// exist.
std::optional<long> asIndex(std::string_view text) {
  const std::string_view digits =
      !text.empty() && (text[0] == '+' || text[0] == '-') ? text.substr(1) : text;
  if (digits.empty() || digits.size() > 18 ||
      digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  const long value = std::stol(std::string(digits));
  return text[0] == '-' ? -value : value;
}

/// `alpine` and `docker.io/library/alpine:latest` are one image. A text that is no reference stays
/// as it is.
std::string normalised(const std::string& name) {
  auto reference = oci::parseReference(name);
  if (!reference) {
    return name;
  }
  if (!reference->tag && !reference->digest) {
    reference->tag = "latest";
  }
  return reference->str();
}

struct Edge {
  int to = 0;
  SourceRange where;
};

class GraphBuilder {
 public:
  GraphBuilder(const PlanInput& input, const Arguments& arguments, const KnownImages& known)
      : input_(input), arguments_(arguments), known_(known) {}

  Result<StageGraph> run() {
    CHECK_OK(addFileStages());
    CHECK_OK(findTarget());
    CHECK_OK(addFileEdges());
    CHECK_OK(refuseCycles());
    CHECK_OK(checkImageNames());
    CHECK_OK(reachEverything());
    return std::move(graph_);
  }

 private:
  GraphStage& at(int index) { return graph_.stages[static_cast<std::size_t>(index)]; }

  Status addFileStages() {
    if (input_.file.stages.size() > kMaxFileStages) {
      return invalid("the Dockerfile has more than 10000 stages");
    }
    graph_.fileStages = static_cast<int>(input_.file.stages.size());
    for (const NamedContext& context : input_.contexts) {
      if (context.kind == NamedContext::Kind::kDirectory) {
        graph_.directories.push_back(context.name);
      }
    }
    for (const dockerfile::Stage& stage : input_.file.stages) {
      TRY(GraphStage added, makeFileStage(stage));
      graph_.stages.push_back(std::move(added));
      if (!stage.name.empty()) {
        graph_.byName[stage.name] =
            stage.index;  // of several with one name, later stages see the latest
      }
    }
    edges_.resize(graph_.stages.size());
    return ok();
  }

  Result<GraphStage> makeFileStage(const dockerfile::Stage& stage) {
    GraphStage out;
    out.fileIndex = stage.index;
    out.displayName = stage.name.empty() ? "stage-" + std::to_string(stage.index) : stage.name;
    out.where = stage.range;
    TRY(out.baseName, expandAt(input_, stage.range, stage.base, arguments_.globals));
    if (out.baseName.empty()) {
      return dockerfile::errorAt(input_.source,
                                 dockerfile::locateToken(input_.source, stage.range, stage.base),
                                 "base name (" + stage.base + ") should not be blank");
    }
    TRY(out.platform, stagePlatform(stage));
    const NamedContext* context =
        stage.name.empty() ? nullptr : findContext(input_, stage.name, out.platform);
    if (context != nullptr) {
      out.replaced = true;
      CHECK_OK(buildOnContext(*context, out));
    } else if (const auto earlier = graph_.byName.find(out.baseName);
               earlier != graph_.byName.end()) {
      out.baseStage = earlier->second;
      out.platform = at(out.baseStage).platform;
    } else {
      CHECK_OK(buildOnImage(out));
    }
    return out;
  }

  Result<oci::Platform> stagePlatform(const dockerfile::Stage& stage) {
    if (stage.platform.empty()) {
      return input_.platform;
    }
    const SourceRange where = dockerfile::locateToken(input_.source, stage.range, stage.platform);
    TRY(const std::string text, expandAt(input_, stage.range, stage.platform, arguments_.globals));
    if (text.empty()) {
      return dockerfile::errorAt(input_.source, where,
                                 "empty platform value from expression " + stage.platform);
    }
    auto platform = oci::parsePlatform(text);
    if (!platform) {
      return dockerfile::errorAt(
          input_.source, where,
          "failed to parse platform " + stage.platform + ": " + platform.error().message);
    }
    return *std::move(platform);
  }

  /// scratch or an image, unless a named context stands for that name.
  Status buildOnImage(GraphStage& stage) {
    if (stage.baseName == kScratch) {
      stage.scratch = true;
      stage.platform = input_.platform;  // scratch has no platform of its own
      return ok();
    }
    const NamedContext* context = findContext(input_, stage.baseName, stage.platform);
    if (context != nullptr) {
      return buildOnContext(*context, stage);
    }
    setImage(stage, stage.baseName);
    return ok();
  }

  Status buildOnContext(const NamedContext& context, GraphStage& stage) {
    switch (context.kind) {
      case NamedContext::Kind::kScratch:
        stage.scratch = true;
        return ok();
      case NamedContext::Kind::kImage:
        setImage(stage, context.image);
        return ok();
      case NamedContext::Kind::kDirectory:
        stage.scratch = true;
        stage.directory = context.name;
        return ok();
    }
    return internal("a named context of no kind");
  }

  static void setImage(GraphStage& stage, const std::string& name) {
    stage.imageName = name;
    stage.imageKey = name + " " + stage.platform.str();
  }

  Status findTarget() {
    if (input_.target.empty()) {
      graph_.target = graph_.fileStages - 1;
      return ok();
    }
    if (const auto found = graph_.byName.find(lowered(input_.target));
        found != graph_.byName.end()) {
      graph_.target = found->second;
      return ok();
    }
    return invalid(dockerfile::withSuggestion(
        "target stage " + quoted(input_.target, 256) + " could not be found", input_.target,
        stageNames(), true));
  }

  std::vector<std::string> stageNames() const {
    std::vector<std::string> out;
    for (const auto& [name, index] : graph_.byName) {
      out.push_back(name);
    }
    return out;
  }

  Status addFileEdges() {
    for (int i = 0; i < graph_.fileStages; ++i) {
      for (const dockerfile::Instruction& instruction :
           input_.file.stages[static_cast<std::size_t>(i)].instructions) {
        CHECK_OK(addEdges(i, instruction, false));
      }
    }
    return ok();
  }

  Status addEdges(int stage, const dockerfile::Instruction& instruction, bool isTrigger) {
    if (const auto* copy = instruction.as<dockerfile::Copy>();
        copy != nullptr && !copy->from.empty()) {
      // No variable is known here: what changes in an expansion would need one.
      const auto expanded = dockerfile::expandWord(copy->from, dockerfile::EnvironmentList(),
                                                   input_.file.directives.escape);
      if (!expanded || expanded->text != copy->from) {
        return instructionError(
            input_, at(stage), instruction, isTrigger,
            expanded ? "variable expansion is not supported for --from, define a new stage with FROM "
                       "using ARG from global scope as a workaround"
                     : expanded.error().message,
            "--from=" + copy->from);
      }
      const auto index = asIndex(copy->from);
      // Images that earlier instructions name have numbers too, after the stages of the file.
      if (index && (*index < 0 || *index >= static_cast<long>(graph_.stages.size()))) {
        return instructionError(input_, at(stage), instruction, isTrigger,
                                "invalid stage index " + copy->from, "--from=" + copy->from,
                                indexHint());
      }
      addEdge(stage, instruction, isTrigger, index ? static_cast<int>(*index) : named(copy->from),
              copy->from);
    }
    if (const auto* run = instruction.as<dockerfile::Run>()) {
      for (const dockerfile::MountFlag& mount : run->mounts) {
        if (!mount.from.empty()) {
          addEdge(stage, instruction, isTrigger, named(mount.from), mount.from);
        }
      }
    }
    return ok();
  }

  std::string indexHint() const {
    return graph_.fileStages == 1
               ? "the file has one stage, number 0"
               : "the file has stages 0 to " + std::to_string(graph_.fileStages - 1);
  }

  int named(const std::string& from) const {
    const auto found = graph_.byName.find(lowered(from));
    return found == graph_.byName.end() ? -1 : found->second;
  }

  /// `to` is -1 for what is no stage: an image, or a named context.
  void addEdge(int stage, const dockerfile::Instruction& instruction, bool isTrigger, int to,
               const std::string& from) {
    const SourceRange where = isTrigger ? at(stage).where : instruction.range;
    if (to < 0) {
      const NamedContext* context = findContext(input_, from, input_.platform);
      if (context != nullptr && context->kind == NamedContext::Kind::kDirectory) {
        return;
      }
      to = implicitStage(from, where, context);
    }
    edges_[static_cast<std::size_t>(stage)].push_back({to, where});
  }

  /// One stage per image, however often it is named. `context` is no directory.
  int implicitStage(const std::string& from, const SourceRange& where,
                    const NamedContext* context) {
    const auto [found, isNew] =
        graph_.implicit.try_emplace(normalised(from), static_cast<int>(graph_.stages.size()));
    if (isNew) {
      GraphStage stage;
      stage.displayName = from;
      stage.baseName = from;
      stage.where = where;
      stage.platform = input_.platform;
      stage.replaced = true;
      stage.scratch =
          context != nullptr ? context->kind == NamedContext::Kind::kScratch : from == kScratch;
      if (!stage.scratch) {
        setImage(stage, context != nullptr ? context->image : from);
      }
      graph_.stages.push_back(std::move(stage));
      edges_.emplace_back();
    }
    return found->second;
  }

  /// Every stage counts, needed or not (section 5.1). Depth-first without recursion: the depth is
  /// the user's choice.
  Status refuseCycles() {
    enum class Mark : char { kNew, kOpen, kClosed };
    std::vector<Mark> marks(graph_.stages.size(), Mark::kNew);
    for (std::size_t root = 0; root < graph_.stages.size(); ++root) {
      std::vector<std::pair<std::size_t, std::size_t>> path;  // stage, next edge
      if (marks[root] == Mark::kNew) {
        path.emplace_back(root, 0);
      }
      while (!path.empty()) {
        auto& [stage, next] = path.back();
        marks[stage] = Mark::kOpen;
        if (next == edges_[stage].size()) {
          marks[stage] = Mark::kClosed;
          path.pop_back();
          continue;
        }
        const Edge& edge = edges_[stage][next++];
        const auto to = static_cast<std::size_t>(edge.to);
        if (marks[to] == Mark::kOpen) {
          return dockerfile::errorAt(
              input_.source, edge.where,
              "circular dependency detected on stage: " + graph_.stages[root].displayName);
        }
        if (marks[to] == Mark::kNew) {
          path.emplace_back(to, 0);
        }
      }
    }
    return ok();
  }

  Status checkImageNames() {
    for (const GraphStage& stage : graph_.stages) {
      CHECK_OK(checkImageName(stage));
    }
    return ok();
  }

  Status checkImageName(const GraphStage& stage) const {
    if (stage.imageName.empty()) {
      return ok();
    }
    const auto reference = oci::parseReference(stage.imageName);
    if (reference) {
      return ok();
    }
    const std::string near = nearStage(stage.imageName);
    return dockerfile::errorAt(input_.source,
                               dockerfile::locateToken(input_.source, stage.where, stage.baseName),
                               "failed to parse stage name " + quoted(stage.imageName, 256) + ": " +
                                   reference.error().message,
                               near.empty() ? "" : "did you mean stage `" + near + "`?");
  }

  /// FROM looks names up as they are written, so another case is the likeliest mistake.
  std::string nearStage(const std::string& name) const {
    const std::string folded = lowered(name);
    return folded != name && graph_.byName.count(folded) != 0
               ? folded
               : dockerfile::nearestOption(name, stageNames(), true);
  }

  /// Triggers add edges, edges reach further stages, these have triggers of their own.
  Status reachEverything() {
    reach(graph_.target);
    while (!pending_.empty()) {
      const int index = pending_.back();
      pending_.pop_back();
      CHECK_OK(addTriggers(index));
      if (at(index).baseStage >= 0) {
        reach(at(index).baseStage);
      }
      for (const Edge& edge : edges_[static_cast<std::size_t>(index)]) {
        reach(edge.to);
      }
    }
    listMissing();
    return ok();
  }

  void reach(int index) {
    if (!at(index).reachable) {
      at(index).reachable = true;
      pending_.push_back(index);
    }
  }

  Status addTriggers(int index) {
    if (at(index).replaced) {
      return ok();
    }
    for (const std::string& text : triggerTexts(at(index))) {
      auto trigger = dockerfile::parseTrigger(text);
      if (!trigger) {
        return dockerfile::errorAt(input_.source, at(index).where,
                                   "ONBUILD trigger of the base: " + trigger.error().message);
      }
      const std::size_t before = graph_.stages.size();
      CHECK_OK(addEdges(index, *trigger, true));
      for (std::size_t i = before; i < graph_.stages.size(); ++i) {
        CHECK_OK(checkImageName(graph_.stages[i]));
      }
      at(index).triggers.push_back(*std::move(trigger));
    }
    return ok();
  }

  std::vector<std::string> triggerTexts(const GraphStage& stage) const {
    if (stage.baseStage >= 0) {
      return triggersOfFile(stage.baseStage);
    }
    const auto found = known_.find(stage.imageKey);
    return found == known_.end() ? std::vector<std::string>() : found->second.config.onBuild;
  }

  /// What the base, a stage of the file, stores. A replaced one has only its image's.
  std::vector<std::string> triggersOfFile(int index) const {
    std::vector<std::string> out;
    const GraphStage& base = graph_.stages[static_cast<std::size_t>(index)];
    if (base.replaced) {
      return triggerTexts(base);
    }
    for (const auto& instruction :
         input_.file.stages[static_cast<std::size_t>(base.fileIndex)].instructions) {
      if (const auto* onBuild = instruction.as<dockerfile::OnBuild>()) {
        out.push_back(onBuild->expression);
      }
    }
    return out;
  }

  void listMissing() {
    std::set<std::string> seen;
    for (const GraphStage& stage : graph_.stages) {
      if (stage.reachable && !stage.imageKey.empty() && known_.count(stage.imageKey) == 0 &&
          seen.insert(stage.imageKey).second) {
        graph_.missing.push_back(
            {stage.imageKey, stage.imageName, stage.platform,
             dockerfile::locateToken(input_.source, stage.where, stage.baseName),
             nearStage(stage.imageName)});
      }
    }
  }

  const PlanInput& input_;
  const Arguments& arguments_;
  const KnownImages& known_;
  StageGraph graph_;
  std::vector<std::vector<Edge>> edges_;
  std::vector<int> pending_;
};

}  // namespace

const NamedContext* findContext(const PlanInput& input, const std::string& name,
                                const oci::Platform& platform) {
  if (name == kScratch || name == "context") {
    return nullptr;
  }
  const std::string wanted = normalised(name);
  const NamedContext* found = nullptr;
  for (const NamedContext& context : input.contexts) {
    const std::size_t at = context.name.find("::");
    if (at == std::string::npos) {
      found = found == nullptr && normalised(context.name) == wanted ? &context : found;
    } else if (context.name.substr(at + 2) == platform.str() &&
               normalised(context.name.substr(0, at)) == wanted) {
      return &context;
    }
  }
  return found;
}

SourceOfCopy StageGraph::copySource(std::string_view from) const {
  if (const auto index = asIndex(from)) {
    return {static_cast<int>(*index), ""};
  }
  return mountSource(from);
}

SourceOfCopy StageGraph::mountSource(std::string_view from) const {
  if (const auto found = byName.find(lowered(from)); found != byName.end()) {
    return {found->second, ""};
  }
  if (const auto found = implicit.find(normalised(std::string(from))); found != implicit.end()) {
    return {found->second, ""};
  }
  return {-1, std::string(from)};
}

Result<StageGraph> makeStageGraph(const PlanInput& input, const Arguments& arguments,
                                  const KnownImages& known) {
  if (input.file.stages.empty()) {
    return invalid("dockerfile contains no stages to build");
  }
  return GraphBuilder(input, arguments, known).run();
}

Error instructionError(const PlanInput& input, const GraphStage& stage,
                       const dockerfile::Instruction& instruction, bool isTrigger,
                       std::string_view message, std::string_view token, std::string_view hint) {
  if (isTrigger) {
    return dockerfile::errorAt(
        input.source, stage.where,
        "ONBUILD trigger " + quoted(instruction.text, 200) + ": " + std::string(message), hint);
  }
  const SourceRange where = token.empty()
                                ? instruction.range
                                : dockerfile::locateToken(input.source, instruction.range, token);
  return dockerfile::errorAt(input.source, where, message, hint);
}

}  // namespace stagewright::plan
