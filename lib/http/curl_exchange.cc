#include "lib/http/curl_exchange.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <type_traits>

namespace stagewright::http {

namespace {

constexpr std::size_t kMaxHeaderBytes = 128 * 1024;

/// libcurl's words for a certificate fault, as "x509: <cause>".
std::string certificateCause(std::string_view text) {
  constexpr std::string_view kPrefix = "SSL certificate problem: ";
  const std::size_t at = text.find(kPrefix);
  return "x509: " +
         std::string(at == std::string_view::npos ? text : text.substr(at + kPrefix.size()));
}

bool isCertificateFault(int code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_SSL_ISSUER_ERROR;
}

}  // namespace

CurlExchange::~CurlExchange() { curl_slist_free_all(headerList_); }

static_assert(std::is_same_v<CURL, void> && std::is_same_v<curl_off_t, std::int64_t>);

Status CurlExchange::prepare(void* easy) {
  static_assert(sizeof errorText_ >= CURL_ERROR_SIZE);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, errorText_);
  curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &CurlExchange::onHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &CurlExchange::onBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  setAddressCheck(easy);
  CHECK_OK(setBody(easy));
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  for (const Header& header : request_.headers.fields()) {
    if ((header.name + header.value).find_first_of(std::string_view("\r\n\0", 3)) !=
        std::string::npos) {
      return invalid(describe(request_) + ": header " + quoted(header.name, 64) +
                     " has a line break");
    }
    // A field without a value needs a semicolon, or libcurl takes it as "leave this one out".
    const std::string line =
        header.value.empty() ? header.name + ";" : header.name + ": " + header.value;
    headerList_ = curl_slist_append(headerList_, line.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headerList_);
  return ok();
}

void CurlExchange::setAddressCheck(void* easy) {
  if (!request_.checkAddress) {
    return;
  }
  using OpenSocket = curl_socket_t (*)(void*, curlsocktype, curl_sockaddr*);
  const OpenSocket open = [](void* self, curlsocktype purpose, curl_sockaddr* address) {
    return static_cast<curl_socket_t>(onOpenSocket(self, static_cast<int>(purpose), address));
  };
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  // A connection that was made without the check, or under another one, proves nothing.
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
}

Status CurlExchange::setBody(void* easy) {
  if (request_.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return ok();
  }
  if (request_.body == nullptr) {
    // POST, PUT and PATCH without a body need Content-Length: 0; some registries answer 411
    // otherwise.
    if (request_.method == "POST" || request_.method == "PUT" || request_.method == "PATCH") {
      curl_easy_setopt(easy, CURLOPT_POST, 1L);
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(0));
    }
    return ok();
  }
  // Without this libcurl waits up to a second for "100 Continue" before each body; an early refusal
  // is seen anyway.
  headerList_ = curl_slist_append(headerList_, "Expect:");
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, &CurlExchange::onRead);
  curl_easy_setopt(easy, CURLOPT_READDATA, this);
  curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &CurlExchange::onSeek);
  curl_easy_setopt(easy, CURLOPT_SEEKDATA, this);
  if (const std::optional<std::int64_t> length = request_.body->length()) {
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(*length));
  } else {
    headerList_ = curl_slist_append(headerList_, "Transfer-Encoding: chunked");
  }
  return ok();
}

std::size_t CurlExchange::onHeader(char* bytes, std::size_t size, std::size_t count, void* self) {
  const std::string_view line(bytes, size * count);
  return static_cast<CurlExchange*>(self)->takeHeader(line) ? line.size() : 0;
}

bool CurlExchange::takeHeader(std::string_view line) {
  lastActivity_ = std::chrono::steady_clock::now();
  headerBytes_ += line.size();
  if (headerBytes_ > kMaxHeaderBytes) {
    error_ = invalid(describe(request_) + ": the answer's header is larger than 128 KiB");
    return false;
  }
  if (line.starts_with("HTTP/")) {  // also after a 1xx answer: what came before does not count
    response_ = Response();
    const std::size_t blank = line.find(' ');
    if (blank != std::string_view::npos) {
      std::from_chars(line.data() + blank + 1, line.data() + line.size(), response_.status);
    }
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    response_.headers.add(std::string(trim(line.substr(0, colon))),
                          std::string(trim(line.substr(colon + 1))));
  }
  return true;
}

std::size_t CurlExchange::onBody(char* bytes, std::size_t size, std::size_t count, void* self) {
  const std::string_view piece(bytes, size * count);
  return static_cast<CurlExchange*>(self)->takeBody(piece) ? piece.size() : CURL_WRITEFUNC_ERROR;
}

bool CurlExchange::takeBody(std::string_view bytes) {
  lastActivity_ = std::chrono::steady_clock::now();
  if (!isSuccess()) {
    const std::size_t room = static_cast<std::size_t>(kErrorBodyLimit) - response_.body.size();
    response_.body += bytes.substr(0, room);
    errorBodyCut_ = bytes.size() > room;
    return !errorBodyCut_;
  }
  if (bodyBytes_ == 0 && request_.onHead) {
    if (Status accepted = request_.onHead(response_); !accepted) {
      error_ = std::move(accepted).error();
      return false;
    }
  }
  bodyBytes_ += static_cast<std::int64_t>(bytes.size());
  if (bodyBytes_ > request_.bodyLimit) {
    error_ = invalid(describe(request_) + ": the answer is larger than " +
                     std::to_string(request_.bodyLimit) + " bytes");
    return false;
  }
  if (!request_.sink) {
    response_.body += bytes;
    return true;
  }
  Status sunk = request_.sink(bytes);
  if (!sunk) {
    error_ = std::move(sunk).error();
  }
  lastActivity_ = std::chrono::steady_clock::now();
  return !error_;
}

std::size_t CurlExchange::onRead(char* buffer, std::size_t size, std::size_t count, void* self) {
  auto* exchange = static_cast<CurlExchange*>(self);
  Result<std::size_t> n = exchange->request_.body->read(buffer, size * count);
  exchange->lastActivity_ = std::chrono::steady_clock::now();
  if (!n) {
    exchange->error_ = std::move(n).error();
    return CURL_READFUNC_ABORT;
  }
  return *n;
}

int CurlExchange::onSeek(void* self, std::int64_t offset, int origin) {
  auto* exchange = static_cast<CurlExchange*>(self);
  const bool start = origin == SEEK_SET && offset == 0;
  return start && exchange->request_.body->rewind() ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

int CurlExchange::onOpenSocket(void* self, int purpose, curl_sockaddr* address) {
  auto* exchange = static_cast<CurlExchange*>(self);
  if (purpose != CURLSOCKTYPE_IPCXN) {
    return -1;
  }
  if (Status allowed = exchange->request_.checkAddress(address->addr); !allowed) {
    exchange->error_ = std::move(allowed).error().during(describe(exchange->request_));
    return -1;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

Result<Response> CurlExchange::finish(void* easy, int code) {
  if (error_) {
    return std::move(*error_);
  }
  // An answer other than success ends an upload early: libcurl reports the broken send, the status
  // is what counts.
  const bool answered =
      response_.status >= 300 && (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
                                  code == CURLE_PARTIAL_FILE || errorBodyCut_);
  if (code == CURLE_OK || answered) {
    return std::move(response_);
  }
  return failure(easy, code);
}

Error CurlExchange::failure(void* easy, int code) const {
  const std::string cause =
      errorText_[0] != '\0' ? errorText_ : curl_easy_strerror(static_cast<CURLcode>(code));
  const std::string operation = describe(request_);
  if (isCertificateFault(code)) {
    return invalid(operation + ": " + certificateCause(cause));
  }
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
    return invalid(operation + ": " + cause);
  }
  long systemError = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &systemError);
  if (code == CURLE_SSL_CONNECT_ERROR && cause.find("wrong version number") != std::string::npos) {
    return invalid(operation +
                   ": the server does not speak TLS (is it a plain HTTP server?): " + cause);
  }
  return unavailable(operation + ": " + cause);
}

}  // namespace stagewright::http
