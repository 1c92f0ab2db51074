// What ADD names and nobody has yet, fetched as prepare does it, but only when a step needs it.
#pragma once

#include <map>
#include <mutex>
#include <stop_token>
#include <string>

#include "builder-pod/prepare/fetched_sources.h"
#include "lib/plan/plan.h"
#include "local/store.h"

namespace stagewright::local {

/// Fetches each once per build. Thread-safe.
class FetchedSources {
 public:
  FetchedSources(const plan::BuildPlan& plan, Store& store, http::Transport& transport, Clock& clock,
                 std::stop_token stop);

  /// A file, or for git a directory: see prepare::SourceFetcher.
  Result<std::string> path(int index);

 private:
  const plan::BuildPlan& plan_;
  Store& store_;
  prepare::SourceFetcher fetcher_;
  std::mutex mutex_;  ///< guards `paths_`, and lets one fetch at a time
  std::map<int, std::string> paths_;
};

}  // namespace stagewright::local
