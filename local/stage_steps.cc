// What each kind of step does to a merged tree.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "builder-pod/stage/accounts.h"
#include "builder-pod/stage/step_files.h"
#include "lib/dockerfile/values.h"
#include "lib/layer/tree.h"
#include "local/container.h"
#include "local/run_mounts.h"
#include "local/stage_build.h"

namespace stagewright::local {

namespace {

std::string joined(const std::vector<std::string>& argv) {
  std::string out;
  for (const std::string& word : argv) {
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

/// Mount points that do not exist are made by the runtime; as BuildKit does, they are removed afterwards while they are
/// empty, and the times of their directories are put back.
class MountStubs {
 public:
  explicit MountStubs(layer::Tree& tree) : tree_(tree) {}

  Status note(const std::string& target) {
    TRY(std::string path, tree_.resolve(target));
    std::vector<std::string> missing;
    while (!path.empty() && !tree_.stat(path)) {
      missing.push_back(path);
      path = std::string(layer::parentOf(path));
    }
    if (!missing.empty()) {
      TRY(const layer::FileStat st, tree_.stat(path));
      parents_.emplace_back(path, st.mtime);
      stubs_.insert(stubs_.end(), missing.begin(), missing.end());
    }
    return ok();
  }

  Status removeEmpty() {
    for (const std::string& path : stubs_) {
      const auto st = tree_.stat(path);
      const bool isEmptyFile = st && st->isFile() && st->size == 0;
      const bool isEmptyDirectory = st && st->isDirectory() && tree_.list(path).value_or(std::vector<std::string>{""}).empty();
      if (isEmptyFile || isEmptyDirectory) {
        CHECK_OK(tree_.remove(path));
      }
    }
    for (const auto& [path, mtime] : parents_) {
      layer::Metadata metadata;
      metadata.mtime = mtime;
      if (tree_.stat(path)) {
        CHECK_OK(tree_.setMetadata(path, metadata));
      }
    }
    return ok();
  }

 private:
  layer::Tree& tree_;
  std::vector<std::string> stubs_;  ///< deepest first within each target
  std::vector<std::pair<std::string, layer::Timestamp>> parents_;
};

}  // namespace

Result<StepRecord> StageBuild::execute(const plan::Step& step, int vertex, std::stop_token stop) {
  TRY(const LayerDirectories below, layersBefore(static_cast<int>(records_.size()), stop));
  TRY(WorkTree tree, WorkTree::open(scope_.store, below));
  if (const auto* run = std::get_if<plan::RunStep>(&step.action)) {
    CHECK_OK(executeRun(tree, *run, vertex, stop));
  } else if (const auto* copy = std::get_if<plan::CopyStep>(&step.action)) {
    CHECK_OK(executeCopy(tree, *copy, stop));
  } else {
    CHECK_OK(executeWorkdir(tree, std::get<plan::WorkdirStep>(step.action)));
  }
  StepRecord record;
  record.created = formatTime(scope_.clock.now());
  TRY(record.layer, scope_.store.keepLayer(tree.finish()));
  return record;
}

Status StageBuild::executeRun(WorkTree& tree, const plan::RunStep& run, int vertex, std::stop_token stop) {
  TRY(const Runtime runtime, findRuntime());
  const MountSources sources{
      [&](int stage) -> Result<std::string> {
        TRY(StageBuild* const other, scope_.await(stage));
        return other->view(stop);
      },
      [&](const std::string& context, const std::string& path) {
        return scope_.contexts.at(context)->materialise(path);
      }};
  RunMounts mounts(scope_.store, scope_.options, sources);
  CHECK_OK(mounts.add(run));
  TRY(layer::Tree files, layer::Tree::open(tree.path(), {}, {}));
  TRY(const stage::Accounts accounts, stage::loadAccounts(files));
  const auto identity = stage::resolveUser(run.user, accounts);
  if (!identity) {
    return invalid("process " + dockerfile::goQuoted(joined(run.argv)) +
                   " did not complete successfully: " + identity.error().message);
  }
  const stage::Identity& who = *identity;
  TRY(const std::string workdir, files.resolve(run.workdir));
  CHECK_OK(stage::CopyEngine::makeDirectories(files, workdir, 0755, std::nullopt));
  MountStubs stubs(files);
  for (const ContainerMount& mount : mounts.mounts()) {
    CHECK_OK(stubs.note(mount.target));
  }
  for (const char* file : {"/etc/hosts", "/etc/resolv.conf"}) {
    CHECK_OK(stubs.note(file));
  }
  ContainerRequest request;
  request.process.argv = run.argv;
  request.process.env = stage::completeEnvironment(run.env, who);
  request.process.workdir = run.workdir;
  request.process.identity = who;
  request.process.networkNone = run.networkNone;
  request.process.env.insert(request.process.env.end(), mounts.env().begin(), mounts.env().end());
  request.root = tree.path();
  request.mounts = mounts.mounts();
  // What lies deeper comes later, whatever the order of the flags.
  std::stable_sort(request.mounts.begin(), request.mounts.end(), [](const ContainerMount& a, const ContainerMount& b) {
    return std::count(a.target.begin(), a.target.end(), '/') < std::count(b.target.begin(), b.target.end(), '/');
  });
  request.hostName = scope_.hostName;
  request.hostsFile = scope_.hostsFile;
  request.resolvFile = scope_.resolvFile;
  request.insecure = run.insecure;
  TRY(const std::string state, scope_.store.makeScratchDirectory("run"));
  ContainerRunner runner(runtime, state);
  TRY(const stage::RunOutcome outcome,
      runner.run(request, [&](std::string_view bytes) { scope_.progress.output(vertex, bytes); }, stop));
  if (outcome.kind == stage::RunOutcome::Kind::kStopped) {
    return cancelled("stopped");
  }
  if (!outcome.succeeded()) {
    return invalid("process " + dockerfile::goQuoted(joined(run.argv)) + " did not complete successfully: exit code: " +
                   std::to_string(outcome.exitCode));
  }
  return stubs.removeEmpty();
}

Status StageBuild::executeWorkdir(WorkTree& tree, const plan::WorkdirStep& workdir) {
  TRY(layer::Tree files, layer::Tree::open(tree.path(), {}, {}));
  TRY(const std::string path, files.resolve(workdir.path));
  std::optional<stage::Owner> owner;
  if (!workdir.user.empty()) {
    TRY(const stage::Accounts accounts, stage::loadAccounts(files));
    owner = stage::resolveOwner(workdir.user, accounts);
  }
  return stage::CopyEngine::makeDirectories(files, path, 0755, owner);
}

Status StageBuild::executeCopy(WorkTree& tree, const plan::CopyStep& copy, std::stop_token stop) {
  TRY(layer::Tree files, layer::Tree::open(tree.path(), {}, {}));
  TRY(layer::Root upper, layer::Root::open(tree.upper()));
  files.writeThrough(std::move(upper));
  for (const plan::CopySource& source : copy.sources) {
    CHECK_OK(copySource(files, copy, source, stop));
  }
  return ok();
}

Status StageBuild::copySource(layer::Tree& tree, const plan::CopyStep& copy, const plan::CopySource& source,
                              std::stop_token stop) {
  TRY(stage::CopyOptions options, stage::makeCopyOptions(copy, source, tree));
  const auto copyAll = [&](stage::SourceTree& from) {
    return stage::SourceCopier(tree, copy, source, std::move(options)).copyAll(from);
  };
  switch (source.from) {
    case plan::CopySource::From::kContext:
    case plan::CopySource::From::kNamedContext: {
      Context& context = *scope_.contexts.at(source.context);
      TRY(const auto from, context.tree());
      options.witness = learns_ ? &context.digests() : nullptr;
      return copyAll(*from);
    }
    case plan::CopySource::From::kStage: {
      TRY(StageBuild* const other, scope_.await(source.stage));
      TRY(const std::string view, other->view(stop));
      TRY(const auto from, makeStageTree(view));
      return copyAll(*from);
    }
    case plan::CopySource::From::kFetched: return copyFetched(tree, copy, source);
    case plan::CopySource::From::kInline: break;
  }
  TRY(const auto inlineTree, stage::makeInlineTree(source.path, source.content));
  return stage::SourceCopier(tree, copy, source, std::move(options)).copyMatches(*inlineTree, {source.path});
}

Status StageBuild::copyFetched(layer::Tree& tree, const plan::CopyStep& copy, const plan::CopySource& source) {
  TRY(stage::CopyOptions options, stage::makeCopyOptions(copy, source, tree));
  stage::SourceCopier copier(tree, copy, source, std::move(options));
  TRY(const std::string path, scope_.fetched(source.fetchIndex));
  struct stat st {};
  if (::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) {
    TRY(const auto from, makeContextTree(path, nullptr));
    return copier.copyMatches(*from, {""});
  }
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    return systemError("open", path, errno);
  }
  const std::string name = source.path.empty() ? "__unnamed__" : source.path;
  TRY(const auto from, stage::makeFileTree(name, std::move(file)));
  return copier.copyMatches(*from, {name});
}

}  // namespace stagewright::local
