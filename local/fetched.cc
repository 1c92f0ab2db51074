#include "local/fetched.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "builder-pod/prepare/directory.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/http/redirect.h"
#include "lib/layer/root.h"
#include "local/git_checkout.h"

namespace stagewright::local {

namespace {

constexpr std::int64_t kLimit = std::int64_t{16} * 1024 * 1024 * 1024;

/// An HTTP date; 0 if there is none.
std::time_t parseHttpDate(const std::string& text) {
  std::tm time{};
  return ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time) != nullptr ? ::timegm(&time) : 0;
}

}  // namespace

Result<std::string> FetchedSources::path(int index) {
  const std::lock_guard lock(mutex_);
  if (const auto known = paths_.find(index); known != paths_.end()) {
    return known->second;
  }
  const plan::Fetch& fetch = plan_.fetches[static_cast<std::size_t>(index)];
  TRY(std::string path, fetch.git ? clone(fetch) : download(fetch));
  return paths_.emplace(index, std::move(path)).first->second;
}

Result<std::string> FetchedSources::download(const plan::Fetch& fetch) {
  TRY(const std::string directory, store_.makeScratchDirectory("add"));
  const std::string path = directory + "/file";
  const Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    return systemError("open", path, errno);
  }
  Sha256 hash;
  http::Request request;
  request.url = fetch.url;
  request.bodyLimit = kLimit;
  request.sink = [&](std::string_view bytes) {
    hash.update(bytes);
    return writeAll(file.get(), bytes, path);
  };
  TRY(const http::Response response, http::sendFollowing(transport_, request, stop_));
  if (response.status < 200 || response.status > 299) {
    return invalid("failed to load " + fetch.url + ": invalid response status " + std::to_string(response.status));
  }
  const std::string digest = "sha256:" + hash.hex();
  if (!fetch.checksum.empty() && fetch.checksum != digest) {
    return invalid("digest mismatch " + digest + ": " + fetch.checksum);
  }
  const auto modified = response.headers.find("Last-Modified");
  const timespec when{modified ? parseHttpDate(*modified) : 0, 0};
  const timespec times[2] = {when, when};
  if (::futimens(file.get(), times) != 0) {
    return systemError("set times", path, errno);
  }
  return path;
}

Result<std::string> FetchedSources::clone(const plan::Fetch& fetch) {
  TRY(const GitCheckout checkout, checkOutGit(fetch.remote, fetch.ref, store_));
  const std::string& directory = checkout.directory;
  if (!fetch.checksum.empty() && !checkout.commit.starts_with(fetch.checksum)) {
    return invalid("expected checksum to match " + fetch.checksum + ", got " + checkout.commit);
  }
  if (!fetch.keepGitDir) {
    CHECK_OK(prepare::removeTree(directory + "/.git"));
  }
  if (fetch.subdir.empty()) {
    return directory;
  }
  const std::string inner = directory + "/" + layer::cleanPath(fetch.subdir);
  return ::access(inner.c_str(), F_OK) == 0
             ? Result<std::string>(inner)
             : notFound("invalid subdir " + fetch.subdir + ": no such file or directory");
}

}  // namespace stagewright::local
