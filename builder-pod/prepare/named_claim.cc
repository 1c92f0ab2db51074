#include "builder-pod/prepare/named_claim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <vector>

#include "builder-pod/prepare/directory.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/plan/contract.h"

namespace stagewright::prepare {

namespace {

constexpr std::size_t kMaxOwner = 256;
constexpr std::int64_t kLongestBuild = std::int64_t{48} * 3600;  // spec.timeout allows 24 hours

std::string ownerFileOf(const std::string& run) {
  return run + "/" + std::string(plan::kOwnerFile);
}

/// Runs that are dead, by their directory's name.
bool isDead(int runs, const std::string& run, const std::string& owner) {
  struct stat st {};
  if (::fstatat(runs, run.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode)) {
    return false;
  }
  const auto other = loadFileBeneath(runs, ownerFileOf(run), kMaxOwner);
  if (other && *other == owner) {
    return true;
  }
  return ::time(nullptr) - st.st_mtime > kLongestBuild;
}

Status removeDeadRuns(const std::string& workspace, const std::string& runId,
                      const std::string& owner, const Narrator& tell) {
  TRY(const Fd runs, openDirectory(workspace + "/runs"));
  TRY(const std::vector<std::string> names, listDirectory(runs.get(), ""));
  for (const std::string& name : names) {
    if (name == runId || !isDead(runs.get(), name, owner)) {
      continue;
    }
    const Status removed = removeTree(workspace + "/runs/" + name);
    tell("claim: run " + name + " is over" +
         (removed ? ", its files were removed"
                  : ", but its files could not be removed: " + removed.error().message));
  }
  return ok();
}

}  // namespace

Status takeNamedClaim(const std::string& workspace, const std::string& runId,
                      const std::string& owner, const Narrator& tell) {
  const std::string run = workspace + "/" + plan::runPath(runId);
  CHECK_OK(makeDirectories(run));
  CHECK_OK(saveFileAtomically(ownerFileOf(run), owner));
  CHECK_OK(makeDirectories(workspace + "/" + plan::cachesPath(owner)));
  return removeDeadRuns(workspace, runId, owner, tell);
}

}  // namespace stagewright::prepare
