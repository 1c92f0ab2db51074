// What each kind of step does to the tree.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "builder-pod/stage/copy_engine.h"
#include "builder-pod/stage/stage_run.h"
#include "builder-pod/stage/step_files.h"
#include "lib/base/file.h"

namespace stagewright::stage {

namespace {

constexpr std::string_view kHostname = "etc/hostname";

std::string joined(const std::vector<std::string>& argv) {
  std::string out;
  for (const std::string& word : argv) {
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

/// The kubelet mounts /etc/hostname, BuildKit does not: what a step writes there belongs to the
/// image.
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

}  // namespace

Result<StageRun::Items> StageRun::executeRun(const plan::Step& step, const plan::RunStep& run) {
  TRY(const Accounts accounts, loadAccounts(*tree_));
  TRY(const Identity who, resolveUser(run.user, accounts));
  CHECK_OK(loadBaseline());
  TRY(const std::string workdir, tree_->resolve(run.workdir));
  CHECK_OK(CopyEngine::makeDirectories(*tree_, workdir, 0755, std::nullopt));
  RunMounts mounts(*tree_, options_, runner_.canBind(), &stop_);
  CHECK_OK(mounts.setUp(run, [this](const plan::Mount& mount) { return findMountSource(mount); }));
  HostnameWatch hostname(*tree_);
  CHECK_OK(settleBaseline());
  const bool networkNone = run.networkNone || options_.networkNone;
  RunRequest request{
      run.argv, completeEnvironment(run.env, who), run.workdir, who, networkNone, mounts.binds()};
  request.service = mounts.service();
  request.env.insert(request.env.end(), mounts.env().begin(), mounts.env().end());
  TRY(const RunOutcome outcome,
      runner_.run(
          request, [this](std::string_view bytes) { log_.output(bytes); }, deadline(), stop_));
  CHECK_OK(judge(step, run, outcome));
  CHECK_OK(mounts.tearDown());
  mountSources_.clear();
  CHECK_OK(out_->check());
  CHECK_OK(hostname.keepChange());
  TRY(Items items, collectChanges(mounts.targets()));
  for (const layer::LayerItem& item : takeTouchedItems()) {
    if (tree_->shadow().contains(item.path)) {
      items.push_back(item);
    }
  }
  return items;
}

Result<MountSource> StageRun::findMountSource(const plan::Mount& mount) {
  if (mount.fromStage >= 0) {
    TRY(ArtifactTree* const artifact, upstream_.artifact(mount.fromStage, mount.fromExport));
    report_.upstream[mount.fromStage] = options_.upstream.at(mount.fromStage).attempt;
    if (artifact->matches().empty()) {
      return missingSource(mount.source);
    }
    return MountSource{artifact, artifact->matches().front()};
  }
  std::string directory = options_.context;
  if (!mount.context.empty()) {
    const auto known = options_.namedContexts.find(mount.context);
    if (known == options_.namedContexts.end()) {
      return internal("the named context " + quoted(mount.context) + " is not here");
    }
    directory = known->second;
  }
  TRY(mountSources_.emplace_back(), makeDirectoryTree(directory));
  SourceTree* const tree = mountSources_.back().get();
  TRY(const std::string path, tree->resolve(mount.source));
  if (!tree->stat(path)) {
    return missingSource(mount.source);
  }
  return MountSource{tree, path};
}

Status StageRun::judge(const plan::Step& step, const plan::RunStep& run,
                       const RunOutcome& outcome) {
  if (outcome.succeeded()) {
    return ok();
  }
  failure_ = plan::Failure{};
  failure_->exitCode = outcome.exitCode;
  const std::string process = "process \"" + joined(run.argv) + "\" did not complete successfully";
  switch (outcome.kind) {
    case RunOutcome::Kind::kStopped:
      failure_.reset();
      return cancelled("the stage was stopped during " + step.text);
    case RunOutcome::Kind::kTimedOut:
      exit_ = plan::Exit::kStageTimeout;
      failure_->message = process + ": the stage took longer than its timeout of " +
                          std::to_string(options_.timeout.value_or(Millis(0)).count() / 1000) + "s";
      break;
    case RunOutcome::Kind::kNotStarted:
      failure_->message = process + ": " + outcome.message;
      break;
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
    case plan::CopySource::From::kContext:
      return copyFromDirectory(copy, source, options_.context);
    case plan::CopySource::From::kNamedContext: {
      const auto known = options_.namedContexts.find(source.context);
      return known == options_.namedContexts.end()
                 ? Status(internal("the named context " + quoted(source.context) + " is not here"))
                 : copyFromDirectory(copy, source, known->second);
    }
    case plan::CopySource::From::kStage:
      return copyFromStage(copy, source);
    case plan::CopySource::From::kFetched:
      return copyFetched(copy, source);
    case plan::CopySource::From::kInline:
      break;
  }
  TRY(auto options, makeCopyOptions(copy, source, *tree_));
  std::optional<layer::Timestamp> epoch;
  if (plan_.sourceDateEpoch) {
    epoch = layer::Timestamp{*plan_.sourceDateEpoch, 0};
  }
  TRY(const auto tree, makeInlineTree(source.path, source.content, epoch));
  return SourceCopier(*tree_, copy, source, std::move(options)).copyMatches(*tree, {source.path});
}

Status StageRun::copyFromDirectory(const plan::CopyStep& copy, const plan::CopySource& source,
                                   const std::string& directory) {
  TRY(auto options, makeCopyOptions(copy, source, *tree_));
  TRY(const auto tree, makeDirectoryTree(directory));
  return SourceCopier(*tree_, copy, source, std::move(options)).copyAll(*tree);
}

Status StageRun::copyFromStage(const plan::CopyStep& copy, const plan::CopySource& source) {
  TRY(auto options, makeCopyOptions(copy, source, *tree_));
  TRY(ArtifactTree* const artifact, upstream_.artifact(source.stage, source.exportIndex));
  report_.upstream[source.stage] = options_.upstream.at(source.stage).attempt;
  SourceCopier copier(*tree_, copy, source, std::move(options));
  if (copy.parents) {
    return copier.copyAll(*artifact);
  }
  if (artifact->prefixMissing() ||
      (artifact->matches().empty() && !layer::hasWildcard(source.path))) {
    return missingSource(source.path);
  }
  return copier.copyMatches(*artifact, artifact->matches());
}

Status StageRun::copyFetched(const plan::CopyStep& copy, const plan::CopySource& source) {
  TRY(auto options, makeCopyOptions(copy, source, *tree_));
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
