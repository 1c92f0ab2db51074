#include "lib/plan/supported.h"

#include <algorithm>
#include <optional>

#include "lib/dockerfile/diagnostic.h"

namespace stagewright::plan {

namespace {

constexpr std::size_t kMaxShownId = 128;

/// A lacking feature, and the word in the instruction that asks for it.
struct Lack {
  std::string feature;
  std::string token;
};

std::optional<Lack> lackOfMount(const Mount& mount, const Supported& supported) {
  const auto lack = [](bool has, const std::string& type) {
    return has ? std::nullopt : std::optional<Lack>({"RUN --mount=type=" + type, "--mount"});
  };
  switch (mount.type) {
    case Mount::Type::kBind:
      return lack(supported.bindMounts && (mount.context.empty() || supported.namedDirectories),
                  "bind");
    case Mount::Type::kCache:
      return lack(supported.cacheMounts, "cache");
    case Mount::Type::kTmpfs:
      return lack(supported.tmpfsMounts, "tmpfs");
    case Mount::Type::kSecret:
      return lack(supported.secretMounts, "secret");
    case Mount::Type::kSsh:
      return lack(supported.sshMounts, "ssh");
  }
  return std::nullopt;
}

std::optional<Lack> lackOfRun(const RunStep& run, const Supported& supported) {
  for (const Mount& mount : run.mounts) {
    if (auto lack = lackOfMount(mount, supported)) {
      return lack;
    }
  }
  if (!run.pipes.empty() && !supported.heredocs) {
    return Lack{"a here-document with #!", "<<"};
  }
  if (run.networkNone && !supported.networkNone) {
    return Lack{"RUN --network=none", "--network"};
  }
  if (run.networkHost && !supported.networkHost) {
    return Lack{"RUN --network=host", "--network"};
  }
  if (run.insecure && !supported.securityInsecure) {
    return Lack{"RUN --security=insecure", "--security"};
  }
  return std::nullopt;
}

std::optional<Lack> lackOfSource(const CopySource& source, const BuildPlan& plan,
                                 const Supported& supported) {
  switch (source.from) {
    case CopySource::From::kInline:
      return supported.heredocs ? std::nullopt : std::optional<Lack>({"a here-document", "<<"});
    case CopySource::From::kNamedContext:
      return supported.namedDirectories
                 ? std::nullopt
                 : std::optional<Lack>(
                       {"copying from the named context " + source.context, "--from"});
    case CopySource::From::kFetched: {
      const Fetch& fetch = plan.fetches[static_cast<std::size_t>(source.fetchIndex)];
      const bool has = fetch.git ? supported.addGit : supported.addUrl;
      return has ? std::nullopt
                 : std::optional<Lack>(
                       {fetch.git ? "ADD of a git repository" : "ADD of a URL", fetch.url});
    }
    case CopySource::From::kContext:
    case CopySource::From::kStage:
      break;
  }
  return std::nullopt;
}

bool isSymbolic(const std::string& chmod) {
  return chmod.find_first_not_of("01234567") != std::string::npos;
}

std::optional<Lack> lackOfCopy(const CopyStep& copy, const BuildPlan& plan,
                               const Supported& supported) {
  for (const CopySource& source : copy.sources) {
    if (auto lack = lackOfSource(source, plan, supported)) {
      return lack;
    }
  }
  const std::string keyword = copy.isAdd ? "ADD " : "COPY ";
  if (copy.link && !supported.link) {
    return Lack{keyword + "--link", "--link"};
  }
  if (copy.parents && !supported.parents) {
    return Lack{keyword + "--parents", "--parents"};
  }
  if (!copy.excludes.empty() && !supported.exclude) {
    return Lack{keyword + "--exclude", "--exclude"};
  }
  if (copy.unpack && !supported.unpackFlag) {
    return Lack{keyword + "--unpack", "--unpack"};
  }
  if (isSymbolic(copy.chmod) && !supported.symbolicChmod) {
    return Lack{"a symbolic " + keyword + "--chmod", "--chmod"};
  }
  return std::nullopt;
}

/// Where the step stands; the FROM of its stage if it is a trigger of the base.
SourceRange placeOf(const PlanInput& input, const Stage& stage, const Step& step) {
  const int line = step.line == 0 ? stage.line : step.line;
  for (const dockerfile::Stage& candidate : input.file.stages) {
    if (candidate.range.line == line) {
      return candidate.range;
    }
    for (const dockerfile::Instruction& instruction : candidate.instructions) {
      if (instruction.range.line == line) {
        return instruction.range;
      }
    }
  }
  return SourceRange{input.source.name, line, 0, line};
}

}  // namespace

Status refuseUngiven(const PlanInput& input, const BuildPlan& plan,
                     const std::vector<std::string>& secretIds,
                     const std::vector<std::string>& sshIds) {
  const auto isGiven = [&](const Mount& mount) {
    const bool isSsh = mount.type == Mount::Type::kSsh;
    const auto& ids = isSsh ? sshIds : secretIds;
    return (!isSsh && mount.type != Mount::Type::kSecret) ||
           std::find(ids.begin(), ids.end(), mount.id) != ids.end();
  };
  for (const Stage& stage : plan.stages) {
    for (const Step& step : stage.steps) {
      const auto* run = std::get_if<RunStep>(&step.action);
      for (const Mount& mount : run == nullptr ? std::vector<Mount>() : run->mounts) {
        if (mount.required && !isGiven(mount)) {
          const bool isSsh = mount.type == Mount::Type::kSsh;
          return dockerfile::errorAt(
              input.source,
              dockerfile::locateToken(input.source, placeOf(input, stage, step), "--mount"),
              (isSsh ? "ssh key " : "secret ") + quoted(mount.id, kMaxShownId) +
                  " is required, but spec." + (isSsh ? "ssh" : "secrets") + " has no such id");
        }
      }
    }
  }
  return ok();
}

Status refuseUnsupported(const PlanInput& input, const BuildPlan& plan,
                         const Supported& supported) {
  for (const Stage& stage : plan.stages) {
    for (const Step& step : stage.steps) {
      std::optional<Lack> lack;
      if (const auto* run = std::get_if<RunStep>(&step.action)) {
        lack = lackOfRun(*run, supported);
      } else if (const auto* copy = std::get_if<CopyStep>(&step.action)) {
        lack = lackOfCopy(*copy, plan, supported);
      }
      if (lack) {
        const SourceRange place = placeOf(input, stage, step);
        return dockerfile::errorAt(input.source,
                                   dockerfile::locateToken(input.source, place, lack->token),
                                   lack->feature + " is not supported yet");
      }
    }
  }
  return ok();
}

}  // namespace stagewright::plan
