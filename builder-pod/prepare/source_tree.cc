#include "builder-pod/prepare/source_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "lib/base/file.h"
#include "lib/dockerfile/parser.h"

namespace stagewright::prepare {

namespace {

/// Opens beneath `dir`, following links as long as they stay inside. An absolute link leaves it.
Result<Fd> openInside(int dir, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0;; ++tries) {
    const long fd = ::syscall(SYS_openat2, dir, path.c_str(), &how, sizeof how);
    if (fd >= 0) {
      return Fd(static_cast<int>(fd));
    }
    if (errno != EINTR && (errno != EAGAIN || tries >= 10)) {
      if (errno == EXDEV) {
        return denied(quoted(path) + " is a link that leaves the source");
      }
      return systemError("open", path, errno);
    }
  }
}

/// The kernel refuses these as well, but with words that help nobody.
Status checkRelative(std::string_view field, const std::string& path) {
  const std::string slashed = "/" + path + "/";
  if (path.empty() || path.front() == '/' || slashed.find("/../") != std::string::npos ||
      path.find('\0') != std::string::npos) {
    return invalid("spec." + std::string(field) + " " + quoted(path) +
                   ": must be a relative path without \"..\"");
  }
  return ok();
}

Result<std::string> loadInside(int dir, const std::string& path, std::size_t limit) {
  TRY(const Fd fd, openInside(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) {
    return systemError("stat", path, errno);
  }
  if (!S_ISREG(st.st_mode)) {
    return denied(quoted(path) + " is not a regular file");
  }
  // The limit is checked while reading: the size of a file may lie. The file is opened already, so
  // no link is followed.
  return loadFile("/proc/self/fd/" + std::to_string(fd.get()), limit);
}

std::string joined(const std::string& directory, const std::string& file) {
  return directory == "." ? file : directory + "/" + file;
}

std::string cleanDirectory(std::string path) {
  while (path.starts_with("./")) {
    path.erase(0, 2);
  }
  while (path.size() > 1 && path.back() == '/') {
    path.pop_back();
  }
  return path.empty() ? "." : path;
}

Outcome<void> loadIgnoreFile(const Context& context, const std::string& path,
                             DockerfileText& into) {
  const auto text = loadInside(context.directory.get(), path, kMaxIgnoreFileBytes);
  if (text) {
    into.ignoreName = joined(context.name, path);
    into.ignoreText = *text;
    return {};
  }
  if (text.error().code == Code::kNotFound) {
    return {};
  }
  return refuseInput("DockerfileInvalid", joined(context.name, path) + ": " + text.error().message);
}

Refusal dockerfileRefusal(const Context& context, const std::string& path, const Error& error) {
  const std::string name = joined(context.name, path);
  if (error.code == Code::kInvalid) {
    return refuseInput("DockerfileInvalid", name + ": " + error.message);
  }
  if (error.code == Code::kNotFound) {
    return refuseInput("DockerfileNotFound", "there is no " + quoted(name) + " in the source");
  }
  return refuseInput("DockerfileNotFound", "cannot read " + quoted(name) + ": " + error.message);
}

}  // namespace

Outcome<Context> openContext(const std::string& root, const std::string& contextDir) {
  CHECK_OR(checkRelative("contextDir", contextDir), error,
           refuseInput("InvalidSpec", error.message));
  TRY_OR(const Fd rootFd, openDirectory(root), error, refuseVolume(root, error));
  auto directory = openInside(rootFd.get(), contextDir, O_RDONLY | O_DIRECTORY);
  if (!directory) {
    const Error& error = directory.error();
    const std::string why =
        error.code == Code::kNotFound ? "it is not in the source" : error.message;
    return refuseInput("ContextDirNotFound", "contextDir " + quoted(contextDir) + ": " + why);
  }
  return Context{std::move(*directory), cleanDirectory(contextDir)};
}

Outcome<DockerfileText> loadDockerfile(const Context& context, const std::string& dockerfile) {
  CHECK_OR(checkRelative("dockerfile", dockerfile), error,
           refuseInput("InvalidSpec", error.message));
  std::string path = cleanDirectory(dockerfile);
  auto text = loadInside(context.directory.get(), path, dockerfile::kMaxFileBytes);
  if (!text && path == "Dockerfile" && text.error().code == Code::kNotFound) {
    if (auto other = loadInside(context.directory.get(), "dockerfile", dockerfile::kMaxFileBytes)) {
      path = "dockerfile";
      text = std::move(other);
    }
  }
  if (!text) {
    return dockerfileRefusal(context, path, text.error());
  }
  DockerfileText result;
  result.name = joined(context.name, path);
  result.text = std::move(*text);
  CHECK_OK(loadIgnoreFile(context, path + ".dockerignore", result));
  if (result.ignoreName.empty()) {
    CHECK_OK(loadIgnoreFile(context, ".dockerignore", result));
  }
  return result;
}

Outcome<DockerfileText> inlineDockerfile(const Context& context, std::string text) {
  DockerfileText result;
  // What people and editors look for in a message: file:line:column.
  result.name = "Dockerfile";
  result.text = std::move(text);
  CHECK_OK(loadIgnoreFile(context, ".dockerignore", result));
  return result;
}

}  // namespace stagewright::prepare
