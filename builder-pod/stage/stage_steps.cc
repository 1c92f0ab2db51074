// What each kind of step does to the tree.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "builder-pod/stage/copy_engine.h"
#include "builder-pod/stage/stage_run.h"
#include "builder-pod/stage/unpack.h"
#include "lib/base/file.h"

namespace stagewright::stage {

namespace {

constexpr std::string_view kHostname = "etc/hostname";

bool hasVariable(const std::vector<std::string>& env, std::string_view name) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& variable) {
    return variable.size() > name.size() + 1 && variable.starts_with(name) && variable[name.size()] == '=';
  });
}

/// HOME is the builder's to add; an empty one counts as none.
std::vector<std::string> completeEnvironment(const std::vector<std::string>& env, const Identity& who) {
  std::vector<std::string> out;
  for (const std::string& variable : env) {
    if (variable != "HOME=") {
      out.push_back(variable);
    }
  }
  if (!hasVariable(env, "HOME")) {
    out.push_back("HOME=" + who.home);
  }
  return out;
}

std::string joined(const std::vector<std::string>& argv) {
  std::string out;
  for (const std::string& word : argv) {
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

/// The kubelet mounts /etc/hostname, BuildKit does not: what a step writes there belongs to the image.
class HostnameWatch {
 public:
  explicit HostnameWatch(layer::Tree& tree) : tree_(tree) {
    watched_ = tree.isMounted(std::string(kHostname));
    before_ = load();
  }

  Status keepChange() {
    const auto now = watched_ ? load() : std::nullopt;
    if (!now || now == before_) {
      return ok();
    }
    TRY(const layer::FileStat st, tree_.root().stat(std::string(kHostname)));
    return tree_.shadowFile(std::string(kHostname), st, *now);
  }

 private:
  std::optional<std::string> load() const {
    auto text = loadFileBeneath(tree_.root().fd(), std::string(kHostname), 64 * 1024);
    return watched_ && text ? std::optional(std::move(*text)) : std::nullopt;
  }

  layer::Tree& tree_;
  bool watched_ = false;
  std::optional<std::string> before_;
};

Result<CopyOptions> optionsFor(const plan::CopyStep& copy, const plan::CopySource& source, layer::Tree& tree) {
  CopyOptions options;
  if (!copy.chown.empty()) {
    TRY(const Accounts accounts, loadAccounts(tree));
    options.owner = resolveOwner(copy.chown, accounts);
  }
  if (!copy.chmod.empty()) {
    TRY(options.mode, FileMode::parse(copy.chmod));
  }
  // Symbolic links named as source are followed, and a directory means its contents, in trees only; a downloaded or
  // inline source is taken as it is.
  const bool isTree = source.from != plan::CopySource::From::kInline && source.from != plan::CopySource::From::kFetched;
  options.contentsOnly = isTree;
  options.followLinks = isTree;
  options.link = copy.link && copy.chmod.empty();
  options.exclude = copy.excludes;
  return options;
}

/// `a/b/./c/*`: where the walk begins, and the pattern below it.
void splitPivot(const std::string& path, std::string& base, std::string& pattern) {
  const std::size_t pivot = path.find("/./");
  base = pivot == std::string::npos ? "" : path.substr(0, pivot);
  pattern = layer::cleanPath(pivot == std::string::npos ? path : path.substr(pivot + 3));
}

Error missing(const std::string& path) {
  return notFound("failed to calculate checksum of ref: \"/" + layer::cleanPath(path) + "\": not found");
}

/// One source in one tree: its matches, each copied or unpacked.
class SourceCopier {
 public:
  SourceCopier(layer::Tree& tree, const plan::CopyStep& copy, const plan::CopySource& source, CopyOptions options)
      : tree_(tree), copy_(copy), source_(source), options_(std::move(options)), engine_(tree, options_) {}

  Status copyAll(SourceTree& from) {
    if (copy_.parents) {
      return copyParents(from);
    }
    TRY(const Expansion expansion, expandWildcards(from, source_.path));
    if (expansion.prefixMissing) {
      return missing(source_.path);
    }
    return copyMatches(from, expansion.paths);
  }

  Status copyMatches(SourceTree& from, const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      CHECK_OK(copyOne(from, path));
    }
    return ok();
  }

 private:
  Status copyOne(SourceTree& from, const std::string& path) {
    if (shouldUnpack()) {
      TRY(const bool unpacked, unpackArchive(tree_, from, path, copy_.destination, options_.owner));
      if (unpacked) {
        return ok();
      }
    }
    const Status status = engine_.copy(from, path, copy_.destination);
    return !status && status.error().code == Code::kNotFound && !from.stat(from.resolve(path).value_or(path))
               ? Status(missing(path))
               : status;
  }

  Status copyParents(SourceTree& from) {
    std::string base;
    std::string pattern;
    splitPivot(source_.path, base, pattern);
    if (!layer::hasWildcard(base) && !layer::hasWildcard(pattern) &&
        !from.stat(from.resolve(layer::joinPath(base, pattern)).value_or(""))) {
      return missing(base + "/" + pattern);
    }
    options_.include = {pattern};
    CopyEngine engine(tree_, options_);
    TRY(const Expansion expansion, expandWildcards(from, base));
    for (const std::string& path : expansion.paths) {
      CHECK_OK(engine.copy(from, path, copy_.destination));
    }
    return ok();
  }

  bool shouldUnpack() const {
    const bool local = source_.from != plan::CopySource::From::kFetched;
    return source_.from != plan::CopySource::From::kInline && copy_.unpack.value_or(copy_.isAdd && local);
  }

  layer::Tree& tree_;
  const plan::CopyStep& copy_;
  const plan::CopySource& source_;
  CopyOptions options_;
  CopyEngine engine_;
};

}  // namespace

Result<StageRun::Items> StageRun::executeRun(const plan::Step& step, const plan::RunStep& run) {
  TRY(const Accounts accounts, loadAccounts(*tree_));
  TRY(const Identity who, resolveUser(run.user, accounts));
  CHECK_OK(loadBaseline());
  TRY(const std::string workdir, tree_->resolve(run.workdir));
  CHECK_OK(CopyEngine::makeDirectories(*tree_, workdir, 0755, std::nullopt));
  HostnameWatch hostname(*tree_);
  CHECK_OK(settleBaseline());
  const RunRequest request{run.argv, completeEnvironment(run.env, who), run.workdir, who, run.networkNone};
  TRY(const RunOutcome outcome,
      runner_.run(request, [this](std::string_view bytes) { log_.output(bytes); }, deadline(), stop_));
  CHECK_OK(judge(step, run, outcome));
  CHECK_OK(out_->check());
  CHECK_OK(hostname.keepChange());
  TRY(Items items, collectChanges());
  for (const layer::LayerItem& item : takeTouchedItems()) {
    if (tree_->shadow().contains(item.path)) {
      items.push_back(item);
    }
  }
  return items;
}

Status StageRun::judge(const plan::Step& step, const plan::RunStep& run, const RunOutcome& outcome) {
  if (outcome.succeeded()) {
    return ok();
  }
  failure_ = plan::Failure{};
  failure_->exitCode = outcome.exitCode;
  failure_->line = step.line;
  const std::string process = "process \"" + joined(run.argv) + "\" did not complete successfully";
  switch (outcome.kind) {
    case RunOutcome::Kind::kStopped: failure_.reset(); return cancelled("the stage was stopped during " + step.text);
    case RunOutcome::Kind::kTimedOut:
      exit_ = plan::Exit::kStageTimeout;
      failure_->message = process + ": the stage took longer than its timeout of " +
                          std::to_string(options_.timeout.value_or(Millis(0)).count() / 1000) + "s";
      break;
    case RunOutcome::Kind::kNotStarted: failure_->message = process + ": " + outcome.message; break;
    case RunOutcome::Kind::kKilled:
    case RunOutcome::Kind::kExited:
      failure_->message = process + ": exit code: " + std::to_string(outcome.exitCode);
      break;
  }
  if (outcome.outOfMemory && outcome.kind != RunOutcome::Kind::kTimedOut) {
    exit_ = plan::Exit::kOutOfMemory;
    failure_->message = process + ": killed because it used more memory than the stage's limit" +
                        (outcome.memoryLimit.empty() ? "" : " of " + outcome.memoryLimit);
  }
  return invalid(failure_->message);
}

Result<StageRun::Items> StageRun::executeWorkdir(const plan::WorkdirStep& workdir) {
  TRY(const std::string path, tree_->resolve(workdir.path));
  std::optional<Owner> owner;
  if (!workdir.user.empty()) {
    TRY(const Accounts accounts, loadAccounts(*tree_));
    owner = resolveOwner(workdir.user, accounts);
  }
  CHECK_OK(CopyEngine::makeDirectories(*tree_, path, 0755, owner));
  return takeTouchedItems();
}

Result<StageRun::Items> StageRun::executeCopy(const plan::CopyStep& copy) {
  for (const plan::CopySource& source : copy.sources) {
    CHECK_OK(copySource(copy, source));
  }
  return takeTouchedItems();
}

Status StageRun::copySource(const plan::CopyStep& copy, const plan::CopySource& source) {
  switch (source.from) {
    case plan::CopySource::From::kContext: return copyFromDirectory(copy, source, options_.context);
    case plan::CopySource::From::kNamedContext: {
      const auto known = options_.namedContexts.find(source.context);
      return known == options_.namedContexts.end()
                 ? Status(internal("the named context " + quoted(source.context) + " is not here"))
                 : copyFromDirectory(copy, source, known->second);
    }
    case plan::CopySource::From::kStage: return copyFromStage(copy, source);
    case plan::CopySource::From::kFetched: return copyFetched(copy, source);
    case plan::CopySource::From::kInline: break;
  }
  TRY(auto options, optionsFor(copy, source, *tree_));
  TRY(const auto tree, makeInlineTree(source.path, source.content));
  return SourceCopier(*tree_, copy, source, std::move(options)).copyMatches(*tree, {source.path});
}

Status StageRun::copyFromDirectory(const plan::CopyStep& copy, const plan::CopySource& source,
                                   const std::string& directory) {
  TRY(auto options, optionsFor(copy, source, *tree_));
  TRY(const auto tree, makeDirectoryTree(directory));
  return SourceCopier(*tree_, copy, source, std::move(options)).copyAll(*tree);
}

Status StageRun::copyFromStage(const plan::CopyStep& copy, const plan::CopySource& source) {
  TRY(auto options, optionsFor(copy, source, *tree_));
  TRY(ArtifactTree* const artifact, upstream_.artifact(source.stage, source.exportIndex));
  report_.upstream[source.stage] = options_.upstream.at(source.stage).attempt;
  SourceCopier copier(*tree_, copy, source, std::move(options));
  if (copy.parents) {
    return copier.copyAll(*artifact);
  }
  if (artifact->prefixMissing() || (artifact->matches().empty() && !layer::hasWildcard(source.path))) {
    return missing(source.path);
  }
  return copier.copyMatches(*artifact, artifact->matches());
}

Status StageRun::copyFetched(const plan::CopyStep& copy, const plan::CopySource& source) {
  TRY(auto options, optionsFor(copy, source, *tree_));
  TRY(const Fd fetched, openDirectory(options_.fetched));
  const std::string entry = std::to_string(source.fetchIndex);
  TRY(const layer::FileStat st, layer::statAt(fetched.get(), entry));
  SourceCopier copier(*tree_, copy, source, std::move(options));
  if (st.isDirectory()) {
    TRY(const auto tree, makeDirectoryTree(options_.fetched + "/" + entry));
    return copier.copyMatches(*tree, {""});
  }
  const std::string name = source.path.empty() ? "__unnamed__" : source.path;
  TRY(Fd file, openBeneath(fetched.get(), entry, O_RDONLY | O_NONBLOCK));
  TRY(const auto tree, makeFileTree(name, std::move(file)));
  return copier.copyMatches(*tree, {name});
}

}  // namespace stagewright::stage
