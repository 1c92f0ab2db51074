// Context, Dockerfile and ignore file of a build, from wherever the user says.
#pragma once

#include <stop_token>
#include <string>

#include "lib/base/clock.h"
#include "lib/dockerfile/ignore.h"
#include "lib/dockerfile/source.h"
#include "lib/http/transport.h"
#include "local/options.h"
#include "local/store.h"

namespace stagewright::local {

struct BuildInput {
  std::string context;               ///< a directory
  dockerfile::Source dockerfile;
  bool hasIgnoreFile = false;
  dockerfile::IgnoreMatcher ignore;
};

/// kInvalid for what the user has to mend. Both `context` and `dockerfile` cannot be standard input.
Result<BuildInput> loadBuildInput(const BuildOptions& options, Store& store, http::Transport& transport,
                                  std::stop_token stop);

/// What names a directory, a git repository or an archive, as a directory. kInvalid for anything else.
Result<std::string> openContextDirectory(const std::string& text, Store& store, http::Transport& transport,
                                         std::stop_token stop);

/// The ignore file of a directory that is a context of its own.
Result<dockerfile::IgnoreMatcher> loadIgnoreFile(const std::string& directory, const std::string& dockerfilePath,
                                                 bool* found = nullptr);

}  // namespace stagewright::local
