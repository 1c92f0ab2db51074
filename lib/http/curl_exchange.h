// One exchange's state while libcurl runs it: what the callbacks fill. Internal to the curl
// transport; libcurl's own types stay in .cc files (a CURL* is a void*).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "lib/http/transport.h"

struct curl_slist;
struct curl_sockaddr;

namespace stagewright::http {

class CurlExchange {
 public:
  explicit CurlExchange(const Request& request) : request_(request) {}

  /// Sets callbacks, method, headers and body on `easy`. The exchange must outlive the transfer.
  Status prepare(void* easy);
  ~CurlExchange();
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  /// What the transfer came to, after libcurl said `code`.
  Result<Response> finish(void* easy, int code);
  /// Time of the last byte in either direction.
  std::chrono::steady_clock::time_point lastActivity() const { return lastActivity_; }

 private:
  static std::size_t onHeader(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t onBody(char* bytes, std::size_t size, std::size_t count, void* self);
  static std::size_t onRead(char* buffer, std::size_t size, std::size_t count, void* self);
  static int onSeek(void* self, std::int64_t offset, int origin);
  static int onOpenSocket(void* self, int purpose, curl_sockaddr* address);

  bool takeHeader(std::string_view line);
  bool takeBody(std::string_view bytes);
  Status setBody(void* easy);
  void setAddressCheck(void* easy);
  Error failure(void* easy, int code) const;
  bool isSuccess() const { return response_.status >= 200 && response_.status < 300; }

  const Request& request_;
  Response response_;
  std::optional<Error> error_;  ///< ours: what a callback stopped the transfer for
  bool errorBodyCut_ = false;
  std::size_t headerBytes_ = 0;
  std::int64_t bodyBytes_ = 0;
  curl_slist* headerList_ = nullptr;
  std::chrono::steady_clock::time_point lastActivity_ = std::chrono::steady_clock::now();
  char errorText_[256] = "";  ///< CURL_ERROR_SIZE
};

}  // namespace stagewright::http
