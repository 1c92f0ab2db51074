#include "local/build_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "builder-pod/prepare/git_source.h"
#include "lib/base/file.h"
#include "lib/compress/decompressor.h"
#include "lib/dockerfile/parser.h"
#include "lib/http/redirect.h"
#include "lib/layer/apply.h"
#include "lib/layer/tar_reader.h"
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

class PlainSource final : public layer::ByteSource {
 public:
  PlainSource(int file, const std::string& name) : decompressor_(compress::readerOf(file, name)) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override { return decompressor_.read(buffer, size); }

 private:
  compress::Decompressor decompressor_;
};

/// URL#ref:directory
Result<std::string> cloneGit(const std::string& text, Store& store) {
  const std::size_t hash = text.find('#');
  plan::GitSource source;
  source.url = text.substr(0, hash);
  std::string fragment = hash == std::string::npos ? "" : text.substr(hash + 1);
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

Result<std::string> downloadArchive(const std::string& url, Store& store, http::Transport& transport,
                                    std::stop_token stop) {
  TRY(const std::string target, store.makeScratchDirectory("download"));
  const std::string archive = target + ".archive";
  const Fd file(::open(archive.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    return systemError("open", archive, errno);
  }
  http::Request request;
  request.url = url;
  request.bodyLimit = kDownloadLimit;
  request.sink = [&](std::string_view bytes) { return writeAll(file.get(), bytes, archive); };
  TRY(const http::Response response, http::sendFollowing(transport, request, stop));
  if (response.status != 200) {
    return invalid("GET " + url + ": status " + std::to_string(response.status));
  }
  static_cast<void>(::lseek(file.get(), 0, SEEK_SET));
  CHECK_OK(unpackArchive(file.get(), url, target));
  return target;
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

Status unpackArchive(int file, const std::string& name, const std::string& directory) {
  PlainSource source(file, name);
  layer::TarReader reader(source);
  TRY(layer::Tree tree, layer::Tree::open(directory, {}, {}));
  auto status = layer::applyLayer(tree, reader);
  return status ? ok() : Status(std::move(status).error().during("unpack " + name));
}

Result<std::string> openContextDirectory(const std::string& text, Store& store, http::Transport& transport,
                                         std::stop_token stop) {
  if (isGit(text)) {
    return cloneGit(text, store);
  }
  if (isUrl(text)) {
    return downloadArchive(text, store, transport, stop);
  }
  if (isDirectory(text)) {
    char* real = ::realpath(text.c_str(), nullptr);
    std::string path = real != nullptr ? real : text;
    ::free(real);
    return path;
  }
  if (!isFile(text)) {
    return invalid("context " + quoted(text) + ": no such directory");
  }
  const Fd file(::open(text.c_str(), O_RDONLY | O_CLOEXEC));
  TRY(const std::string target, store.makeScratchDirectory("archive"));
  CHECK_OK(unpackArchive(file.get(), text, target));
  return target;
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
  if (options.context == "-") {
    if (options.dockerfile == "-") {
      return invalid("the context and the Dockerfile cannot both come from standard input");
    }
    input.ownsContext = true;
    TRY(input.context, store.makeScratchDirectory("stdin"));
    CHECK_OK(unpackArchive(STDIN_FILENO, "standard input", input.context));
  } else {
    TRY(input.context, openContextDirectory(options.context, store, transport, stop));
  }
  std::string path;
  if (options.dockerfile == "-") {
    input.dockerfile.name = "Dockerfile";
    TRY(input.dockerfile.text, loadStandardInput(dockerfile::kMaxFileBytes));
  } else {
    path = findDockerfile(options, options.context == "-" ? input.context : options.context);
    if (!isFile(path)) {
      path = findDockerfile(options, input.context);
    }
    auto text = loadFile(path, dockerfile::kMaxFileBytes);
    if (!text) {
      return invalid("failed to read dockerfile: " + text.error().message);
    }
    input.dockerfile.text = std::move(*text);
    input.dockerfile.name = options.dockerfile.empty() ? path.substr(path.rfind('/') + 1) : options.dockerfile;
  }
  TRY(input.ignore, loadIgnoreFile(input.context, path, &input.hasIgnoreFile));
  return input;
}

}  // namespace stagewright::local
