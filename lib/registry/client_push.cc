// Pushing: always to the registry itself, never through a mirror.
#include "lib/http/url.h"
#include "lib/registry/client.h"
#include "lib/registry/requester.h"
#include "lib/registry/upload.h"

namespace stagewright::registry {

namespace {

/// The part of a source that the registry does not have yet.
class SkippingSource final : public http::BodySource {
 public:
  SkippingSource(http::BodySource& source, std::int64_t skip) : source_(source), skip_(skip) {}

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    return source_.read(buffer, size);
  }

  Status rewind() override {
    CHECK_OK(source_.rewind());
    std::string scratch(64 * 1024, '\0');
    for (std::int64_t left = skip_; left > 0;) {
      const auto wanted = static_cast<std::size_t>(
          std::min<std::int64_t>(left, static_cast<std::int64_t>(scratch.size())));
      TRY(std::size_t n, source_.read(scratch.data(), wanted));
      if (n == 0) {
        return invalid("the registry claims to have more bytes than there are");
      }
      left -= static_cast<std::int64_t>(n);
    }
    return ok();
  }

 private:
  http::BodySource& source_;
  std::int64_t skip_;
};

/// Worth a new upload: the registry lost this one, or what it has is not what we sent.
bool mayRestart(Code code) {
  return code == Code::kNotFound || code == Code::kInvalid || code == Code::kUnavailable;
}

}  // namespace

Client::Client(http::Transport& transport, Clock& clock, ClientConfig config)
    : config_(std::move(config)),
      clock_(clock),
      requester_(std::make_unique<Requester>(transport, clock, config_.credentials)) {}

Client::~Client() = default;

Result<bool> Client::hasBlob(const oci::Repository& repository, const oci::Digest& digest,
                             std::stop_token stop) {
  const Endpoint endpoint = endpointOf(config_.hosts, repository.registry, repository.path);
  http::Request request;
  request.method = "HEAD";
  request.url = apiUrl(endpoint, "blobs/" + digest.str());
  auto response = http::retry(clock_, config_.retry, stop, [&] {
    return requester_->send(endpoint, pushScope(endpoint), request, stop);
  });
  if (response) {
    return true;
  }
  if (response.error().code == Code::kNotFound) {
    return false;
  }
  return std::move(response).error().during("look for blob in " + quoted(repository.str()));
}

Status Client::checkPush(const oci::Repository& repository, std::stop_token stop) {
  const Endpoint endpoint = endpointOf(config_.hosts, repository.registry, repository.path);
  Result<Upload> upload = http::retry(clock_, config_.retry, stop,
                                      [&] { return Upload::start(*requester_, endpoint, stop); });
  if (!upload) {
    return std::move(upload).error().during("check push to " + quoted(repository.str()));
  }
  upload->cancel();
  return ok();
}

Result<bool> Client::mountBlob(const oci::Repository& repository, const oci::Digest& digest,
                               const oci::Repository& from, std::stop_token stop) {
  const Endpoint endpoint = endpointOf(config_.hosts, repository.registry, repository.path);
  TRY(http::Url url, http::parseUrl(apiUrl(endpoint, "blobs/uploads/")));
  http::addQuery(url, "mount", digest.str());
  http::addQuery(url, "from", from.path);
  http::Request request;
  request.method = "POST";
  request.url = url.str();
  Scopes scopes = pushScope(endpoint);
  scopes.push_back("repository:" + from.path + ":pull");
  auto response = http::retry(clock_, config_.retry, stop,
                              [&] { return requester_->send(endpoint, scopes, request, stop); });
  if (!response) {
    // Whatever is not a fault of the moment only means that this registry will not mount.
    const Code code = response.error().code;
    if (code != Code::kUnavailable && code != Code::kCancelled) {
      return false;
    }
    return std::move(response).error().during("mount blob into " + quoted(repository.str()));
  }
  if (response->status == 201) {
    return true;
  }
  if (Result<Upload> upload = Upload::adopt(*requester_, endpoint, request, *response)) {
    upload->cancel();
  }
  return false;
}

Status Client::pushBlob(const oci::Repository& repository, const BlobDigest& blob,
                        http::BodySource& source, std::stop_token stop) {
  const Endpoint endpoint = endpointOf(config_.hosts, repository.registry, repository.path);
  Status pushed = http::retry(clock_, config_.retry, stop, [&]() -> Status {
    CHECK_OK(source.rewind());
    TRY(Upload upload, Upload::start(*requester_, endpoint, stop));
    Status finished = upload.finish(blob.digest, &source, stop);
    if (!finished) {
      upload.cancel();
    }
    return finished;
  });
  if (!pushed) {
    return std::move(pushed).error().during("push blob " + blob.digest.str() + " to " +
                                            quoted(repository.str()));
  }
  return ok();
}

/// Sends until the registry has all bytes; resumes where it can, so that one broken connection does
/// not cost a layer. kNotFound and kInvalid mean that this upload is lost.
static Status appendAll(Upload& upload, http::BodySource& source, Clock& clock,
                        const http::RetryPolicy& policy, std::stop_token stop) {
  std::int64_t offset = 0;
  auto retrier = std::make_unique<http::Retrier>(clock, policy);
  while (true) {
    SkippingSource rest(source, offset);
    CHECK_OK(rest.rewind());
    Status sent = upload.append(rest, stop);
    if (sent) {
      return ok();
    }
    std::int64_t has = offset;
    do {
      if (!retrier->waitBeforeRetry(sent.error(), stop)) {
        return sent;
      }
      Result<std::int64_t> asked = upload.fetchOffset(stop);
      if (!asked && asked.error().code != Code::kUnavailable) {
        return std::move(asked).error();
      }
      if (asked) {
        has = *asked;
        break;
      }
      sent = Status(std::move(asked).error());
    } while (true);
    if (has > offset) {
      retrier = std::make_unique<http::Retrier>(clock, policy);
    }
    offset = has;
  }
}

Result<BlobDigest> Client::pushBlobStream(const oci::Repository& repository,
                                          http::BodySource& source,
                                          const std::function<Result<BlobDigest>()>& digest,
                                          std::stop_token stop) {
  const Endpoint endpoint = endpointOf(config_.hosts, repository.registry, repository.path);
  const std::string operation = "push blob to " + quoted(repository.str());
  http::Retrier retrier(clock_, config_.retry);
  constexpr int kMaxUploads = 5;
  while (true) {
    Result<BlobDigest> result = [&]() -> Result<BlobDigest> {
      TRY(Upload upload, Upload::start(*requester_, endpoint, stop));
      Status sent = appendAll(upload, source, clock_, config_.retry, stop);
      Result<BlobDigest> blob = sent ? digest() : Result<BlobDigest>(std::move(sent).error());
      if (blob) {
        Status finished = upload.finish(blob->digest, nullptr, stop);
        if (finished) {
          return blob;
        }
        blob = Result<BlobDigest>(std::move(finished).error());
      }
      upload.cancel();
      return blob;
    }();
    if (result) {
      return result;
    }
    Error error = std::move(result).error();
    Error again = error;
    if (mayRestart(again.code) && retrier.attempts() < kMaxUploads) {
      again.code = Code::kUnavailable;
    }
    if (!retrier.waitBeforeRetry(again, stop)) {
      return std::move(error).during(operation);
    }
  }
}

Status Client::pushManifest(const oci::Repository& repository, std::string_view reference,
                            std::string_view mediaType, std::string_view bytes,
                            std::stop_token stop) {
  const Endpoint endpoint = endpointOf(config_.hosts, repository.registry, repository.path);
  http::StringSource body{std::string(bytes)};
  http::Request request;
  request.method = "PUT";
  request.url = apiUrl(endpoint, "manifests/" + std::string(reference));
  request.headers.set("Content-Type", std::string(mediaType));
  request.body = &body;
  auto response = http::retry(clock_, config_.retry, stop, [&]() -> Result<http::Response> {
    CHECK_OK(body.rewind());
    return requester_->send(endpoint, pushScope(endpoint), request, stop);
  });
  const std::string operation =
      "push manifest " +
      quoted(repository.str() + (reference.find(':') == std::string_view::npos ? ":" : "@") +
             std::string(reference));
  if (!response) {
    return std::move(response).error().during(operation);
  }
  const auto confirmed = response->headers.find("Docker-Content-Digest");
  if (confirmed && *confirmed != oci::Digest::ofBytes(bytes).str()) {
    return invalid(operation + ": the registry stored it as " + quoted(*confirmed, 100));
  }
  return ok();
}

}  // namespace stagewright::registry
