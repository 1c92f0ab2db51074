#include "local/fetched.h"

#include "builder-pod/prepare/git_source.h"

namespace stagewright::local {

namespace {

prepare::FetchRules rulesOfThisMachine() {
  prepare::FetchRules rules;  // the user's own network: any address
  rules.gitEnvironment = prepare::inheritedGitEnvironment();
  rules.retry.budget = Millis(10'000);
  return rules;
}

/// The exit code tells the caller what to do about it, as it does in a pod.
Code codeOf(plan::Exit exit) {
  switch (exit) {
    case plan::Exit::kUserInput:
      return Code::kInvalid;
    case plan::Exit::kDenied:
      return Code::kDenied;
    case plan::Exit::kUnavailable:
      return Code::kUnavailable;
    default:
      return Code::kInternal;
  }
}

}  // namespace

FetchedSources::FetchedSources(const plan::BuildPlan& plan, Store& store, http::Transport& transport, Clock& clock,
                               std::stop_token stop)
    : plan_(plan), store_(store), fetcher_(rulesOfThisMachine(), transport, clock, std::move(stop)) {}

Result<std::string> FetchedSources::path(int index) {
  const std::lock_guard lock(mutex_);
  if (const auto known = paths_.find(index); known != paths_.end()) {
    return known->second;
  }
  TRY(const std::string directory, store_.makeScratchDirectory("add"));
  std::string path = directory + "/fetched";
  const auto fetched = fetcher_.fetch(plan_.fetches[static_cast<std::size_t>(index)], path);
  if (!fetched) {
    return Error{codeOf(fetched.error().exit), fetched.error().failure.message, std::nullopt};
  }
  return paths_.emplace(index, std::move(path)).first->second;
}

}  // namespace stagewright::local
