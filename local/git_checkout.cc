#include "local/git_checkout.h"

#include <sys/stat.h>

#include <vector>

#include "builder-pod/prepare/git_source.h"

namespace stagewright::local {

namespace {

constexpr std::string_view kBranches = "refs/heads/";
constexpr std::string_view kTags = "refs/tags/";

bool isCommit(const std::string& text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// What a name may mean, the likeliest first.
std::vector<plan::GitSource> meaningsOf(const std::string& url, const std::string& ref) {
  plan::GitSource head;
  head.url = url;
  plan::GitSource branch = head;
  plan::GitSource tag = head;
  branch.branch = ref.starts_with(kBranches) ? ref.substr(kBranches.size()) : ref;
  tag.tag = ref.starts_with(kTags) ? ref.substr(kTags.size()) : ref;
  if (ref.empty()) {
    return {head};
  }
  if (isCommit(ref)) {
    head.commit = ref;
    return {head};
  }
  return ref.starts_with(kBranches) ? std::vector{branch} : ref.starts_with(kTags) ? std::vector{tag} : std::vector{branch, tag};
}

}  // namespace

Result<GitCheckout> checkOutGit(const std::string& url, const std::string& ref, Store& store) {
  std::string reason;
  for (const plan::GitSource& source : meaningsOf(url, ref)) {
    TRY(const std::string directory, store.makeScratchDirectory("git"));
    prepare::GitOptions options;
    options.env = prepare::inheritedGitEnvironment();
    const auto revision = prepare::fetchGit(source, std::nullopt, directory, options);
    if (revision && ::chmod(directory.c_str(), 0755) == 0) {  // what a destination that is new looks like
      return GitCheckout{directory, revision->commit};
    }
    reason = revision ? "chmod " + directory + " failed" : revision.error().failure.message;
  }
  return invalid(ref.empty() || isCommit(ref) ? reason
                                              : "repository does not contain ref " + ref + " (" + reason + ")");
}

}  // namespace stagewright::local
