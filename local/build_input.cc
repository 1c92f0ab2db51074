#include "local/build_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "builder-pod/prepare/git_source.h"
#include "builder-pod/stage/source_tree.h"
#include "builder-pod/stage/unpack.h"
#include "lib/base/file.h"
#include "lib/dockerfile/parser.h"
#include "lib/http/redirect.h"
#include "lib/layer/tree.h"

namespace stagewright::local {

namespace {

constexpr std::size_t kIgnoreLimit = 1024 * 1024;
constexpr std::int64_t kDownloadLimit = std::int64_t{16} * 1024 * 1024 * 1024;

bool isUrl(const std::string& text) { return text.starts_with("http://") || text.starts_with("https://"); }

bool isGit(const std::string& text) {
  const std::string head = text.substr(0, text.find('#'));
  return text.starts_with("git@") || text.starts_with("git://") || text.starts_with("ssh://") ||
         (isUrl(text) && head.ends_with(".git"));
}

bool isDirectory(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

bool isFile(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && !S_ISDIR(st.st_mode);
}

/// What a context that comes as a file turns out to be: an archive, unpacked, or a Dockerfile without a context.
struct Unpacked {
  std::string directory;
  std::string dockerfile;  ///< its path; empty: it was an archive
};

Result<Unpacked> unpackFile(Fd file, const std::string& path, const std::string& name, const std::string& directory) {
  TRY(layer::Tree tree, layer::Tree::open(directory, {}, {}));
  TRY(const auto from, stage::makeFileTree("context", std::move(file)));
  const auto isArchive = stage::unpackArchive(tree, *from, "context", "/", std::nullopt);
  if (!isArchive) {
    return Error(isArchive.error()).during("unpack " + name);
  }
  return Unpacked{directory, *isArchive ? "" : path};
}

Result<Fd> makeFile(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  return file ? Result<Fd>(std::move(file)) : systemError("open", path, errno);
}

Result<Unpacked> unpackStandardInput(Store& store) {
  TRY(const std::string target, store.makeScratchDirectory("stdin"));
  const std::string path = target + ".file";
  TRY(Fd file, makeFile(path));
  std::string buffer(256 * 1024, '\0');
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0) {
      return systemError("read", "standard input", errno);
    }
    if (n == 0) {
      break;
    }
    CHECK_OK(writeAll(file.get(), std::string_view(buffer).substr(0, static_cast<std::size_t>(n)), path));
  }
  return unpackFile(std::move(file), path, "standard input", target);
}

/// URL#ref:directory
Result<std::string> cloneGit(const std::string& text, Store& store) {
  const std::size_t hash = text.find('#');
  plan::GitSource source;
  source.url = text.substr(0, hash);
  const std::string fragment = hash == std::string::npos ? "" : text.substr(hash + 1);
  const std::size_t colon = fragment.find(':');
  source.revision = fragment.substr(0, colon);
  const std::string directory = colon == std::string::npos ? "" : fragment.substr(colon + 1);
  TRY(const std::string target, store.makeScratchDirectory("git"));
  prepare::GitOptions options;
  options.env = prepare::inheritedGitEnvironment();
  const auto revision = prepare::fetchGit(source, std::nullopt, target, options);
  if (!revision) {
    return invalid(revision.error().failure.message);
  }
  return directory.empty() ? target : target + "/" + layer::cleanPath(directory);
}

Result<Unpacked> download(const std::string& url, Store& store, http::Transport& transport, std::stop_token stop) {
  TRY(const std::string target, store.makeScratchDirectory("download"));
  const std::string archive = target + ".file";
  TRY(Fd file, makeFile(archive));
  http::Request request;
  request.url = url;
  request.bodyLimit = kDownloadLimit;
  request.sink = [&](std::string_view bytes) { return writeAll(file.get(), bytes, archive); };
  TRY(const http::Response response, http::sendFollowing(transport, request, stop));
  if (response.status != 200) {
    return invalid("GET " + url + ": status " + std::to_string(response.status));
  }
  return unpackFile(std::move(file), archive, url, target);
}

Result<Unpacked> openContext(const std::string& text, Store& store, http::Transport& transport, std::stop_token stop) {
  if (isGit(text)) {
    TRY(std::string directory, cloneGit(text, store));
    return Unpacked{std::move(directory), ""};
  }
  if (isUrl(text)) {
    return download(text, store, transport, std::move(stop));
  }
  if (isDirectory(text)) {
    char* real = ::realpath(text.c_str(), nullptr);
    std::string path = real != nullptr ? real : text;
    ::free(real);
    return Unpacked{std::move(path), ""};
  }
  if (!isFile(text)) {
    return invalid("context " + stagewright::quoted(text) + ": no such directory");
  }
  Fd file(::open(text.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    return systemError("open", text, errno);
  }
  TRY(const std::string target, store.makeScratchDirectory("archive"));
  TRY(Unpacked unpacked, unpackFile(std::move(file), text, text, target));
  return unpacked.dockerfile.empty() ? Result<Unpacked>(std::move(unpacked))
                                     : invalid("context " + stagewright::quoted(text) + ": neither a directory nor an archive");
}

Result<std::string> loadStandardInput(std::size_t limit) {
  std::string out;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof(buffer));
    if (n < 0) {
      return systemError("read", "standard input", errno);
    }
    if (n == 0) {
      return out;
    }
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > limit) {
      return invalid("the Dockerfile on standard input is too large");
    }
  }
}

/// -f is a path of the user; where there is none, one below the context.
std::string findDockerfile(const BuildOptions& options, const std::string& context) {
  if (options.dockerfile.empty()) {
    const std::string path = context + "/Dockerfile";
    return isFile(path) ? path : isFile(context + "/dockerfile") ? context + "/dockerfile" : path;
  }
  if (options.dockerfile.starts_with('/') || (context == options.context && isFile(options.dockerfile))) {
    return options.dockerfile;
  }
  return context + "/" + options.dockerfile;
}

}  // namespace

Result<std::string> openContextDirectory(const std::string& text, Store& store, http::Transport& transport,
                                         std::stop_token stop) {
  TRY(Unpacked context, openContext(text, store, transport, std::move(stop)));
  return context.dockerfile.empty() ? Result<std::string>(std::move(context.directory))
                                    : invalid("context " + stagewright::quoted(text) + ": what it delivers is no archive");
}

Result<dockerfile::IgnoreMatcher> loadIgnoreFile(const std::string& directory, const std::string& dockerfilePath,
                                                 bool* found) {
  for (const std::string& path : {dockerfilePath.empty() ? "" : dockerfilePath + ".dockerignore",
                                  directory + "/.dockerignore"}) {
    if (path.empty() || !isFile(path)) {
      continue;
    }
    TRY(const std::string text, loadFile(path, kIgnoreLimit));
    if (found != nullptr) {
      *found = true;
    }
    auto matcher = dockerfile::makeIgnoreMatcher(dockerfile::parseIgnoreFile(text));
    return matcher ? std::move(matcher) : Result<dockerfile::IgnoreMatcher>(std::move(matcher).error().during(path));
  }
  return dockerfile::makeIgnoreMatcher({});
}

Result<BuildInput> loadBuildInput(const BuildOptions& options, Store& store, http::Transport& transport,
                                  std::stop_token stop) {
  BuildInput input;
  const bool isStdin = options.context == "-";
  if (isStdin && options.dockerfile == "-") {
    return invalid("the context and the Dockerfile cannot both come from standard input");
  }
  TRY(const Unpacked context,
      isStdin ? unpackStandardInput(store) : openContext(options.context, store, transport, stop));
  input.context = context.directory;
  std::string path;
  if (options.dockerfile == "-") {
    input.dockerfile.name = "Dockerfile";
    TRY(input.dockerfile.text, loadStandardInput(dockerfile::kMaxFileBytes));
  } else {
    path = context.dockerfile.empty() ? findDockerfile(options, isStdin ? input.context : options.context)
                                      : context.dockerfile;
    if (!isFile(path)) {
      path = findDockerfile(options, input.context);
    }
    auto text = loadFile(path, dockerfile::kMaxFileBytes);
    if (!text) {
      return invalid("failed to read dockerfile: " + text.error().message);
    }
    input.dockerfile.text = std::move(*text);
    input.dockerfile.name = !context.dockerfile.empty()  ? "Dockerfile"
                            : options.dockerfile.empty() ? path.substr(path.rfind('/') + 1)
                                                         : options.dockerfile;
  }
  TRY(input.ignore, loadIgnoreFile(input.context, path, &input.hasIgnoreFile));
  return input;
}

}  // namespace stagewright::local
