// What ADD names and nobody has yet: URLs and git repositories.
#pragma once

#include <map>
#include <mutex>
#include <stop_token>
#include <string>

#include "lib/http/transport.h"
#include "lib/plan/plan.h"
#include "local/store.h"

namespace stagewright::local {

/// Fetches each once per build. Thread-safe.
class FetchedSources {
 public:
  FetchedSources(const plan::BuildPlan& plan, Store& store, http::Transport& transport, std::stop_token stop)
      : plan_(plan), store_(store), transport_(transport), stop_(std::move(stop)) {}

  /// A file (mode 0600, its time that of Last-Modified, else 1970) or, for git, a directory.
  Result<std::string> path(int index);

 private:
  Result<std::string> download(const plan::Fetch& fetch);
  Result<std::string> clone(const plan::Fetch& fetch);

  const plan::BuildPlan& plan_;
  Store& store_;
  http::Transport& transport_;
  std::stop_token stop_;
  std::mutex mutex_;  ///< guards `paths_`, and lets one fetch at a time
  std::map<int, std::string> paths_;
};

}  // namespace stagewright::local
