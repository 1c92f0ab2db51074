#include "builder-pod/prepare/fetched_sources.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "builder-pod/prepare/directory.h"
#include "builder-pod/prepare/git_source.h"
#include "builder-pod/prepare/words.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/http/redirect.h"
#include "lib/layer/root.h"

namespace stagewright::prepare {

namespace {

/// An HTTP date; 0 if there is none.
std::time_t parseHttpDate(const std::string& text) {
  std::tm time{};
  return ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time) != nullptr ? ::timegm(&time)
                                                                                 : 0;
}

/// One download into a file: bytes, digest and the server's time.
class Download {
 public:
  static Result<Download> open(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) {
      return systemError("open", path, errno);
    }
    return Download(std::move(fd), path);
  }

  Status restart() {
    hash_ = Sha256();
    size_ = 0;
    diskError_.reset();
    if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) != 0) {
      return systemError("truncate", path_, errno);
    }
    return ok();
  }

  Status take(std::string_view bytes) {
    hash_.update(bytes);
    size_ += static_cast<std::int64_t>(bytes.size());
    Status written = writeAll(file_.get(), bytes, path_);
    if (!written) {
      diskError_ = written.error();
    }
    return written;
  }

  Status setTime(std::time_t seconds) {
    const timespec when{seconds, 0};
    const timespec times[2] = {when, when};
    return ::futimens(file_.get(), times) == 0 ? ok() : systemError("set times", path_, errno);
  }

  std::string digest() { return "sha256:" + hash_.hex(); }
  std::int64_t size() const { return size_; }
  /// Why the last take() failed, if it did.
  const std::optional<Error>& diskError() const { return diskError_; }

 private:
  Download(Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  Fd file_;
  std::string path_;
  Sha256 hash_;
  std::int64_t size_ = 0;
  std::optional<Error> diskError_;
};

/// An answer that may be better the next time is an error for the retry, any other is judged later.
Result<http::Response> answerOf(http::Transport& transport, const http::Request& request,
                                std::stop_token stop) {
  TRY(http::Response response, http::sendFollowing(transport, request, stop));
  if (http::isRetriableStatus(response.status)) {
    return unavailable(http::describe(request) + ": status " + std::to_string(response.status));
  }
  return response;
}

Refusal refuseTransfer(const plan::Fetch& fetch, const Error& error) {
  const std::string message = "failed to load " + fetch.url + ": " + error.message;
  switch (error.code) {
    case Code::kDenied:
      return refuseInput("PolicyViolation", message);
    case Code::kInvalid:
      return refuseInput("DockerfileInvalid", message);
    case Code::kUnavailable:
      return refuse(plan::Exit::kUnavailable, "SourceUnavailable", message);
    default:
      return refuse(plan::Exit::kInternal, "InternalError", message);
  }
}

Outcome<void> judgeStatus(const plan::Fetch& fetch, int status) {
  if (status >= 200 && status <= 299) {
    return {};
  }
  const std::string message =
      "failed to load " + fetch.url + ": invalid response status " + std::to_string(status);
  if (status == 401 || status == 403) {
    return refuse(plan::Exit::kDenied, "SourceAuthFailed", message);
  }
  return refuseInput("SourceNotFound", message);
}

/// Every entry at and below `path`, links themselves: checkouts of one commit are then equal.
Status setTimes(int parent, const std::string& path, std::int64_t seconds) {
  struct stat st {};
  if (::fstatat(parent, path.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return systemError("stat", path, errno);
  }
  if (S_ISDIR(st.st_mode)) {
    TRY(const std::vector<std::string> names, listDirectory(parent, path));
    for (const std::string& name : names) {
      CHECK_OK(setTimes(parent, path + "/" + name, seconds));
    }
  }
  const timespec when{seconds, 0};
  const timespec times[2] = {when, when};
  if (::utimensat(parent, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    return systemError("set times", path, errno);
  }
  return ok();
}

/// The directory `subdir` of a checkout; links in it lead nowhere outside.
Outcome<std::string> findSubdir(const std::string& checkout, const plan::Fetch& fetch) {
  const std::string subdir = layer::cleanPath(fetch.subdir);
  if (subdir.empty()) {
    return checkout;
  }
  TRY_OR(const layer::Root root, layer::Root::open(checkout), error, refuseVolume(checkout, error));
  TRY_OR(const std::string resolved, root.resolve(subdir), error,
         refuseInput("SourceNotFound", fetch.url + ": " + error.message));
  const auto st = root.stat(resolved);
  if (!st) {
    return refuseInput("SourceNotFound",
                       fetch.url + ": invalid subdir " + fetch.subdir + ": no such file or directory");
  }
  if (!st->isDirectory()) {
    return refuseInput("SourceNotFound",
                       fetch.url + ": invalid subdir " + fetch.subdir + ": not a directory");
  }
  return checkout + "/" + resolved;
}

}  // namespace

http::AddressCheck podAddressCheck(std::vector<std::string> denied) {
  return [denied = std::move(denied)](const ::sockaddr& address) -> Status {
    const std::string text = http::addressText(address);
    std::string kind = http::deniedAddressKind(address);
    if (kind.empty() && std::find(denied.begin(), denied.end(), text) != denied.end()) {
      kind = "the API server";
    }
    if (!kind.empty()) {
      return stagewright::denied("its server has the address " + text + ", " + kind +
                                 ": a Dockerfile cannot ask for that");
    }
    return ok();
  };
}

Outcome<FetchedSource> SourceFetcher::fetch(const plan::Fetch& fetch, const std::string& path) {
  return fetch.git ? clone(fetch, path) : download(fetch, path);
}

Outcome<FetchedSource> SourceFetcher::download(const plan::Fetch& fetch, const std::string& path) {
  TRY_OR(Download file, Download::open(path), error, refuseVolume(path, error));
  http::Request request;
  request.url = fetch.url;
  request.bodyLimit = rules_.sizeLimit;
  request.timeouts.total = rules_.timeLimit;
  request.checkAddress = rules_.checkAddress;
  request.sink = [&](std::string_view bytes) { return file.take(bytes); };
  const auto response = http::retry(clock_, rules_.retry, stop_, [&]() -> Result<http::Response> {
    CHECK_OK(file.restart());
    return answerOf(transport_, request, stop_);
  });
  if (file.diskError()) {
    return refuseVolume(path, *file.diskError());
  }
  if (!response) {
    return refuseTransfer(fetch, response.error());
  }
  CHECK_OK(judgeStatus(fetch, response->status));
  const std::string digest = file.digest();
  if (!fetch.checksum.empty() && fetch.checksum != digest) {
    return refuseInput("DockerfileInvalid", "digest mismatch " + digest + ": " + fetch.checksum);
  }
  const auto modified = response->headers.find("Last-Modified");
  CHECK_OR(file.setTime(modified ? parseHttpDate(*modified) : 0), error, refuseVolume(path, error));
  return FetchedSource{byteSize(file.size()), digest};
}

Outcome<FetchedSource> SourceFetcher::clone(const plan::Fetch& fetch, const std::string& path) {
  const std::string checkout = path + ".tmp";
  // An earlier try may have left half of it.
  CHECK_OR(removeTree(checkout), error, refuseVolume(checkout, error));
  CHECK_OR(makeDirectories(checkout), error, refuseVolume(checkout, error));
  plan::GitSource source;
  source.url = fetch.remote;
  source.revision = fetch.ref;
  GitOptions options;
  options.timeout = rules_.timeLimit;
  options.env = rules_.gitEnvironment;
  options.checkAddress = rules_.checkAddress;
  options.urlField = "ADD of";
  TRY(const GitRevision revision, fetchGit(source, std::nullopt, checkout, options));
  if (!fetch.checksum.empty() && !revision.commit.starts_with(fetch.checksum)) {
    return refuseInput("DockerfileInvalid",
                       "expected checksum to match " + fetch.checksum + ", got " + revision.commit);
  }
  struct stat st {};
  if (fetch.submodules && ::lstat((checkout + "/.gitmodules").c_str(), &st) == 0) {
    return refuseInput("DockerfileInvalid",
                       fetch.url + " has submodules, which are not fetched yet: write " +
                           quoted("submodules=false") + " into its query to do without them");
  }
  if (!fetch.keepGitDir) {
    CHECK_OR(removeTree(checkout + "/.git"), error, refuseVolume(checkout, error));
  }
  TRY(const std::string wanted, findSubdir(checkout, fetch));
  if (fetch.commitTime) {
    const std::size_t slash = wanted.rfind('/');
    TRY_OR(const Fd parent, openDirectory(wanted.substr(0, slash)), error,
           refuseVolume(checkout, error));
    CHECK_OR(setTimes(parent.get(), wanted.substr(slash + 1), revision.commitTime), error,
             refuseVolume(checkout, error));
  }
  if (::rename(wanted.c_str(), path.c_str()) != 0) {
    return refuseVolume(checkout, systemError("rename", wanted, errno));
  }
  CHECK_OR(removeTree(checkout), error, refuseVolume(path, error));
  return FetchedSource{"commit " + revision.commit, revision.commit};
}

}  // namespace stagewright::prepare
