// COPY and ADD (reference section 6).
#include <algorithm>
#include <optional>

#include "lib/dockerfile/diagnostic.h"
#include "lib/dockerfile/values.h"
#include "lib/plan/cache_key.h"
#include "lib/plan/json_parts.h"
#include "lib/plan/remote_source.h"
#include "lib/plan/stage_compiler.h"
#include "lib/plan/text.h"

namespace stagewright::plan {

namespace {

std::string withoutPivot(std::string path) {
  if (const std::size_t at = path.find(kPivot); at != std::string::npos) {
    path.replace(at, kPivot.size(), "/");
  }
  return path;
}

/// Empty, or `uid[:gid]`.
bool isNumericOwner(std::string_view text) {
  return text.find_first_not_of("0123456789:") == std::string_view::npos;
}

/// Section 6.2: absolute, with a slash at the end where that makes it a directory.
std::string destinationPath(const std::string& workdir, const std::string& written) {
  std::string out = joinPath(workdir, written);
  const bool directory =
      written.empty() || written == "." || written.ends_with("/") || written.ends_with("/.");
  if (directory && out != "/") {
    out += '/';
  }
  return out;
}

/// The path of a local source, relative and clean. With --parents a pivot in it stays
/// (section 6.9).
std::string localPath(const std::string& source, bool parents) {
  const std::size_t pivot = parents ? source.find(kPivot) : std::string::npos;
  if (pivot == std::string::npos) {
    return belowRoot(source);
  }
  const std::string parent = belowRoot(source.substr(0, pivot));
  const std::string rest = belowRoot(source.substr(pivot + kPivot.size()));
  if (parent == ".") {
    return rest;  // the root is the pivot of every source
  }
  return parent + std::string(kPivot) + rest;
}

/// With --parents a source is a pattern below its pivot, or below the root; BuildKit finds nothing
/// where that is the root itself.
std::optional<std::string> rootOfParents(const std::string& source) {
  const std::size_t pivot = source.find(kPivot);
  const std::string parent =
      pivot == std::string::npos ? "." : belowRoot(source.substr(0, pivot));
  const std::string rest =
      belowRoot(pivot == std::string::npos ? source : source.substr(pivot + kPivot.size()));
  return rest == "." ? std::optional("/" + (parent == "." ? "" : parent)) : std::nullopt;
}

/// Compiles one COPY or ADD.
class CopyCompiler {
 public:
  CopyCompiler(StageScope& scope, const Site& site, const dockerfile::Transfer& transfer)
      : scope_(scope), site_(site), transfer_(transfer) {}

  Status readCommon() {
    step_.destination = destinationPath(scope_.state.workdir(), transfer_.destination);
    step_.chown = transfer_.chown;
    step_.chmod = transfer_.chmod;
    step_.excludes = transfer_.excludes;
    if (!step_.chmod.empty()) {
      const auto mode = dockerfile::parseChmod(step_.chmod);
      if (!mode) {
        return site_.error(mode.error().message, "--chmod");
      }
    }
    step_.link =
        transfer_.link && step_.chmod.empty();  // with --chmod an ordinary copy (section 6.8)
    if (step_.link && !isNumericOwner(step_.chown)) {
      return site_.error("--chown=" + step_.chown +
                             ": user and group names can't be resolved when used with --link, use "
                             "numeric uid[:gid] instead",
                         "--chown");
    }
    for (const std::string* text : {&step_.destination, &step_.chown, &step_.chmod}) {
      if (hasNul(*text)) {
        return site_.error("the instruction holds a NUL byte");
      }
    }
    if (std::any_of(step_.excludes.begin(), step_.excludes.end(), hasNul)) {
      return site_.error("the instruction holds a NUL byte");
    }
    return ok();
  }

  Status addCopySources(const dockerfile::Copy& copy) {
    step_.parents = copy.parents;
    if (!copy.from.empty()) {
      CHECK_OK(findFrom(copy.from));
    }
    for (const std::string& source : copy.sources) {
      TRY(const auto git, gitRef(source));
      if (git) {
        return site_.error("source can't be a git ref for COPY", source, "ADD can fetch it");
      }
      if (isUrl(source)) {
        return site_.error("source can't be a URL for COPY", source, "ADD can download it");
      }
      CHECK_OK(addLocal(source));
    }
    return ok();
  }

  Status addAddSources(const dockerfile::Add& add) {
    step_.isAdd = true;
    step_.unpack = add.unpack;
    if (!add.checksum.empty() && add.sources.size() != 1) {
      return site_.error("checksum can't be specified for multiple sources", "--checksum");
    }
    for (const std::string& source : add.sources) {
      TRY(const auto git, gitRef(source));
      if (git) {
        CHECK_OK(addGit(source, *git, add));
      } else if (isUrl(source)) {
        CHECK_OK(addUrl(source, add));
      } else if (!add.checksum.empty()) {
        return site_.error("checksum requires HTTP(S) or Git sources", "--checksum");
      } else {
        CHECK_OK(addLocal(source));
      }
    }
    return ok();
  }

  Status addContents() {
    for (const dockerfile::Heredoc& content : transfer_.contents) {
      if (content.name == "." || content.name.find('/') != std::string::npos ||
          !isCleanRelative(content.name)) {
        return site_.error("here-document " + quoted(content.name, 128) +
                           " needs a name that a file can have");
      }
      CopySource source;
      source.from = CopySource::From::kInline;
      source.path = content.name;
      source.content = content.text();
      CHECK_OK(scope_.draft.charge(source.content.size()));
      step_.sources.push_back(std::move(source));
    }
    return ok();
  }

  Result<CompiledStep> finish(std::string_view keyword) {
    CompiledStep out;
    out.history = copyHistory(keyword, transfer_, step_.parents);
    CHECK_OK(scope_.draft.charge(out.history.size() * 2));
    out.step.cacheKey =
        copyKey(scope_.state.cacheKey, step_, scope_.draft.plan, scope_.draft.stageKeys);
    out.step.ownKey =
        copyKey("", step_, scope_.draft.plan, StageKeys(scope_.draft.stageKeys.size()));
    out.step.action = std::move(step_);
    return out;
  }

 private:
  Result<std::optional<GitRef>> gitRef(const std::string& source) const {
    auto git = parseGitRef(source);
    if (!git) {
      return site_.error(git.error().message, source);
    }
    return git;
  }

  Status findFrom(const std::string& from) {
    from_ = scope_.graph.copySource(from);
    if (from_->stage < 0) {
      return ok();
    }
    if (!scope_.draft.done[static_cast<std::size_t>(from_->stage)]) {
      return site_.error("cannot copy from stage " + dockerfile::goQuoted(from) +
                             ", it needs to be defined before current stage " +
                             dockerfile::goQuoted(scope_.node().displayName),
                         "--from=" + from);
    }
    scope_.dependOn(from_->stage);
    return ok();
  }

  Status addLocal(const std::string& written) {
    if (hasNul(written)) {
      return site_.error("the instruction holds a NUL byte");
    }
    if (step_.parents) {
      if (const auto root = rootOfParents(written)) {
        return site_.error("failed to calculate checksum of ref: \"" + *root + "\": not found",
                           written, "--parents needs something below it: name its entries, or `**`");
      }
    }
    CopySource source;
    source.path = localPath(written, step_.parents);
    if (!from_) {
      scope_.planned().usesContext = true;
    } else if (from_->stage < 0) {
      source.from = CopySource::From::kNamedContext;
      source.context = from_->context;
    } else {
      source.from = CopySource::From::kStage;
      source.path = source.path == "." ? "/" : "/" + source.path;
      source.stage = from_->stage;
      source.exportIndex = scope_.draft.exportOf(from_->stage, withoutPivot(source.path));
    }
    step_.sources.push_back(std::move(source));
    return ok();
  }

  Status addUrl(const std::string& url, const dockerfile::Add& add) {
    Fetch fetch;
    fetch.url = url;
    fetch.checksum = add.checksum;
    if (!fetch.checksum.empty()) {
      const auto digest = oci::Digest::parse(fetch.checksum);
      if (!digest) {
        const bool isNone = fetch.checksum.find(':') == std::string::npos;
        return site_.error(isNone ? "invalid checksum digest format" : digest.error().message,
                           "--checksum");
      }
    }
    return addFetch(std::move(fetch), fileNameOfUrl(url));
  }

  Status addGit(const std::string& url, const GitRef& git, const dockerfile::Add& add) {
    if (add.keepGitDir && git.keepGitDir && *add.keepGitDir != *git.keepGitDir) {
      return site_.error("inconsistent keep-git-dir configuration", "--keep-git-dir");
    }
    if (!add.checksum.empty() && !git.checksum.empty() && add.checksum != git.checksum) {
      return site_.error("checksum mismatch " + dockerfile::goQuoted(add.checksum) +
                             " != " + dockerfile::goQuoted(git.checksum),
                         "--checksum");
    }
    Fetch fetch;
    fetch.url = url;
    fetch.git = true;
    fetch.checksum = git.checksum.empty() ? add.checksum : git.checksum;
    fetch.keepGitDir = git.keepGitDir ? *git.keepGitDir : add.keepGitDir.value_or(false);
    fetch.remote = git.remote;
    fetch.ref = git.ref;
    fetch.subdir = git.subdir;
    fetch.submodules = git.submodules.value_or(true);
    fetch.commitTime = git.commitTime;
    return addFetch(std::move(fetch), "");
  }

  Status addFetch(Fetch fetch, std::string name) {
    if (hasNul(fetch.url)) {
      return site_.error("the instruction holds a NUL byte");
    }
    fetch.line = site_.isTrigger ? 0 : site_.instruction.range.line;
    CopySource source;
    source.from = CopySource::From::kFetched;
    source.path = std::move(name);
    source.fetchIndex = static_cast<int>(scope_.draft.plan.fetches.size());
    scope_.draft.plan.fetches.push_back(std::move(fetch));
    step_.sources.push_back(std::move(source));
    return ok();
  }

  StageScope& scope_;
  const Site& site_;
  const dockerfile::Transfer& transfer_;
  std::optional<SourceOfCopy> from_;  ///< nothing: the main context
  CopyStep step_;
};

}  // namespace

Result<CompiledStep> compileCopy(StageScope& scope, const Site& site,
                                 const dockerfile::Copy& copy) {
  CopyCompiler compiler(scope, site, copy);
  CHECK_OK(compiler.readCommon());
  CHECK_OK(compiler.addCopySources(copy));
  CHECK_OK(compiler.addContents());
  return compiler.finish("COPY");
}

Result<CompiledStep> compileAdd(StageScope& scope, const Site& site, const dockerfile::Add& add) {
  CopyCompiler compiler(scope, site, add);
  CHECK_OK(compiler.readCommon());
  CHECK_OK(compiler.addAddSources(add));
  CHECK_OK(compiler.addContents());
  return compiler.finish("ADD");
}

}  // namespace stagewright::plan
