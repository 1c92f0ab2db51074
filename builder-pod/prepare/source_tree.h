// The source as a directory that someone else filled: every path is resolved beneath it by the
// kernel (openat2), so that a link in it cannot show anything outside.
#pragma once

#include <string>

#include "builder-pod/prepare/refusal.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"

namespace stagewright::prepare {

inline constexpr std::size_t kMaxIgnoreFileBytes = 1024 * 1024;

/// The context: a directory of the source.
struct Context {
  Fd directory;
  std::string name;  ///< below the source's root, for messages: "." or "services/api"
};

/// Opens `contextDir` below `root`; links that stay inside are followed.
/// Refuses: ContextDirNotFound, InvalidSpec for an absolute path or one with `..`.
Outcome<Context> openContext(const std::string& root, const std::string& contextDir);

struct DockerfileText {
  std::string name;  ///< as messages show it: services/api/Dockerfile
  std::string text;
  std::string ignoreName;  ///< of the ignore file; empty if there is none
  std::string ignoreText;
};

/// Reads `dockerfile` below the context and the ignore file that belongs to it:
/// `<dockerfile>.dockerignore`, else
/// `.dockerignore`. If `dockerfile` is the default "Dockerfile" and is missing, "dockerfile" is
/// tried. Refuses: DockerfileNotFound (missing, a directory, a link that leaves the context),
/// InvalidSpec, DockerfileInvalid (too large).
Outcome<DockerfileText> loadDockerfile(const Context& context, const std::string& dockerfile);

/// The same for a Dockerfile of the spec itself, called Dockerfile in messages: only the context's
/// .dockerignore is read.
Outcome<DockerfileText> inlineDockerfile(const Context& context, std::string text);

}  // namespace stagewright::prepare
