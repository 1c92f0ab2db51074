#include "lib/http/transport.h"

#include <algorithm>
#include <cstring>

#include "lib/http/url.h"

namespace stagewright::http {

Result<std::size_t> StringSource::read(char* buffer, std::size_t size) {
  const std::size_t n = std::min(size, bytes_.size() - offset_);
  std::memcpy(buffer, bytes_.data() + offset_, n);
  offset_ += n;
  return n;
}

Status StringSource::rewind() {
  offset_ = 0;
  return ok();
}

std::optional<std::int64_t> StringSource::length() const {
  return static_cast<std::int64_t>(bytes_.size());
}

std::string describe(const Request& request) {
  return request.method + " " + redactUrl(request.url);
}

}  // namespace stagewright::http
