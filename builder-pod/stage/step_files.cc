#include "builder-pod/stage/step_files.h"

#include <algorithm>

#include "builder-pod/stage/file_mode.h"
#include "builder-pod/stage/unpack.h"
#include "lib/layer/pattern.h"

namespace stagewright::stage {

namespace {

bool hasVariable(const std::vector<std::string>& env, std::string_view name) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& variable) {
    return variable.size() > name.size() + 1 && variable.starts_with(name) &&
           variable[name.size()] == '=';
  });
}

/// `a/b/./c/*`: where the walk begins, and the pattern below it.
void splitPivot(const std::string& path, std::string& base, std::string& pattern) {
  const std::size_t pivot = path.find("/./");
  base = pivot == std::string::npos ? "" : path.substr(0, pivot);
  pattern = layer::cleanPath(pivot == std::string::npos ? path : path.substr(pivot + 3));
}

}  // namespace

std::vector<std::string> completeEnvironment(const std::vector<std::string>& env,
                                             const Identity& who) {
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

Result<CopyOptions> makeCopyOptions(const plan::CopyStep& copy, const plan::CopySource& source,
                                    layer::Tree& tree) {
  CopyOptions options;
  if (!copy.chown.empty()) {
    TRY(const Accounts accounts, loadAccounts(tree));
    options.owner = resolveOwner(copy.chown, accounts);
  }
  if (!copy.chmod.empty()) {
    TRY(options.mode, FileMode::parse(copy.chmod));
  }
  // Symbolic links named as source are followed, and a directory means its contents, in trees only;
  // a downloaded or inline source is taken as it is.
  const bool isTree = source.from != plan::CopySource::From::kInline &&
                      source.from != plan::CopySource::From::kFetched;
  options.contentsOnly = isTree;
  options.followLinks = isTree;
  options.link = copy.link && copy.chmod.empty();
  options.exclude = copy.excludes;
  return options;
}

Error missingSource(const std::string& path) {
  return notFound("failed to calculate checksum of ref: \"/" + layer::cleanPath(path) +
                  "\": not found");
}

Status SourceCopier::copyAll(SourceTree& from) {
  if (copy_.parents) {
    return copyParents(from);
  }
  TRY(const Expansion expansion, expandWildcards(from, source_.path));
  if (expansion.prefixMissing) {
    return missingSource(source_.path);
  }
  return copyMatches(from, expansion.paths);
}

Status SourceCopier::copyMatches(SourceTree& from, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    CHECK_OK(copyOne(from, path));
  }
  return ok();
}

Status SourceCopier::copyOne(SourceTree& from, const std::string& path) {
  if (shouldUnpack()) {
    TRY(const bool unpacked, unpackArchive(tree_, from, path, copy_.destination, options_.owner));
    if (unpacked) {
      return ok();
    }
  }
  const Status status = engine_.copy(from, path, copy_.destination);
  return !status && status.error().code == Code::kNotFound &&
                 !from.stat(from.resolve(path).value_or(path))
             ? Status(missingSource(path))
             : status;
}

Status SourceCopier::copyParents(SourceTree& from) {
  std::string base;
  std::string pattern;
  splitPivot(source_.path, base, pattern);
  options_.include = {pattern};
  CopyEngine engine(tree_, options_);
  TRY(const Expansion expansion, expandWildcards(from, base));
  for (const std::string& path : expansion.paths) {
    CHECK_OK(engine.copy(from, path, copy_.destination));
  }
  const bool mustExist = !layer::hasWildcard(base) && !layer::hasWildcard(pattern);
  return mustExist && !engine.foundAny() ? Status(missingSource(base + "/" + pattern)) : ok();
}

bool SourceCopier::shouldUnpack() const {
  const bool local = source_.from != plan::CopySource::From::kFetched;
  return source_.from != plan::CopySource::From::kInline &&
         copy_.unpack.value_or(copy_.isAdd && local);
}

}  // namespace stagewright::stage
