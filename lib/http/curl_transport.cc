#include "lib/http/curl_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "lib/base/guarded.h"
#include "lib/http/authorities.h"
#include "lib/http/curl_exchange.h"
#include "lib/http/url.h"

namespace stagewright::http {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMaxIdleHandles = 16;

/// A multi handle (it owns the connections) with one easy handle: multi, because only
/// curl_multi_wakeup lets a stop request end a transfer at once.
struct Handle {
  CURLM* multi = curl_multi_init();
  CURL* easy = curl_easy_init();
  std::string origin;

  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
  }
};

class CurlTransport final : public Transport {
 public:
  explicit CurlTransport(CurlOptions options) : options_(std::move(options)) {}

  Result<Response> send(const Request& request, std::stop_token stop) override;

 private:
  std::unique_ptr<Handle> takeHandle(const std::string& origin);
  void returnHandle(std::unique_ptr<Handle> handle);
  void setLimits(CURL* easy, const Request& request);
  Status setTls(CURL* easy, const Request& request);
  /// The request's authorities, ours and the system's in one text; kept, because libcurl borrows
  /// it.
  Result<const std::string*> authorities(const std::string& caFile);
  Result<CURLcode> runTransfer(Handle& handle, const Request& request, const CurlExchange& exchange,
                               std::stop_token stop);

  CurlOptions options_;
  Guarded<std::vector<std::unique_ptr<Handle>>> idle_;
  Guarded<std::map<std::string, std::string>> authorities_;
};

std::unique_ptr<Handle> CurlTransport::takeHandle(const std::string& origin) {
  auto idle = idle_.lock();
  auto it =
      std::find_if(idle->begin(), idle->end(), [&](const auto& h) { return h->origin == origin; });
  if (it == idle->end()) {
    return std::make_unique<Handle>();
  }
  std::unique_ptr<Handle> handle = std::move(*it);
  idle->erase(it);
  return handle;
}

void CurlTransport::returnHandle(std::unique_ptr<Handle> handle) {
  curl_easy_reset(handle->easy);
  auto idle = idle_.lock();
  idle->push_back(std::move(handle));
  if (idle->size() > kMaxIdleHandles) {
    idle->erase(idle->begin());
  }
}

void CurlTransport::setLimits(CURL* easy, const Request& request) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.userAgent.c_str());
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(request.timeouts.connect.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeouts.total.count()));
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
}

Status CurlTransport::setTls(CURL* easy, const Request& request) {
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, request.tls.verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, request.tls.verify ? 2L : 0L);
  const std::string own = request.tls.verify ? request.tls.caFile : std::string();
  if (!own.empty() || !options_.caFile.empty()) {
    TRY(const std::string* pem, authorities(own));
    curl_blob blob{const_cast<char*>(pem->data()), pem->size(), CURL_BLOB_NOCOPY};
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &blob);
  }
  return ok();
}

Result<const std::string*> CurlTransport::authorities(const std::string& caFile) {
  auto known = authorities_.lock();
  auto it = known->find(caFile);
  if (it == known->end()) {
    std::vector<std::string> files = {caFile, options_.caFile};
    std::erase(files, std::string());
    Result<std::string> pem = loadAuthorities(files);
    if (!pem) {
      return invalid(pem.error().message);
    }
    it = known->emplace(caFile, std::move(*pem)).first;
  }
  return &it->second;
}

/// Runs until libcurl is done, no byte moved for the idle time, or a stop is requested.
Result<CURLcode> CurlTransport::runTransfer(Handle& handle, const Request& request,
                                            const CurlExchange& exchange, std::stop_token stop) {
  std::stop_callback wake(stop, [&] { curl_multi_wakeup(handle.multi); });
  while (true) {
    int running = 0;
    if (const CURLMcode mc = curl_multi_perform(handle.multi, &running); mc != CURLM_OK) {
      return internal(describe(request) + ": " + curl_multi_strerror(mc));
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(handle.multi, &left)) {
      if (message->msg == CURLMSG_DONE) {
        return message->data.result;
      }
    }
    if (stop.stop_requested()) {
      return cancelled(describe(request) + ": cancelled");
    }
    const auto silent =
        std::chrono::duration_cast<Millis>(SteadyClock::now() - exchange.lastActivity());
    if (silent >= request.timeouts.idle) {
      return unavailable(describe(request) + ": nothing was transferred for " +
                         std::to_string(request.timeouts.idle.count()) + " ms");
    }
    const auto wait = std::min<std::int64_t>((request.timeouts.idle - silent).count() + 1, 1000);
    curl_multi_poll(handle.multi, nullptr, 0, static_cast<int>(wait), nullptr);
  }
}

Result<Response> CurlTransport::send(const Request& request, std::stop_token stop) {
  Result<Url> url = parseUrl(request.url);
  if (!url) {
    return std::move(url).error().during(request.method);
  }
  std::unique_ptr<Handle> handle = takeHandle(url->origin());
  handle->origin = url->origin();
  CurlExchange exchange(request);
  setLimits(handle->easy, request);
  CHECK_OK(setTls(handle->easy, request));
  CHECK_OK(exchange.prepare(handle->easy));
  curl_multi_add_handle(handle->multi, handle->easy);
  Result<CURLcode> code = runTransfer(*handle, request, exchange, stop);
  curl_multi_remove_handle(handle->multi, handle->easy);
  if (!code) {
    return std::move(code).error();
  }
  Result<Response> response = exchange.finish(handle->easy, *code);
  returnHandle(std::move(handle));
  return response;
}

}  // namespace

std::unique_ptr<Transport> makeCurlTransport(CurlOptions options) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  return std::make_unique<CurlTransport>(std::move(options));
}

}  // namespace stagewright::http
