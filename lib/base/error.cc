#include "lib/base/error.h"

#include <cerrno>
#include <cstring>

namespace stagewright {

std::string_view codeName(Code code) {
  switch (code) {
    case Code::kInvalid: return "Invalid";
    case Code::kNotFound: return "NotFound";
    case Code::kConflict: return "Conflict";
    case Code::kDenied: return "Denied";
    case Code::kUnavailable: return "Unavailable";
    case Code::kCancelled: return "Cancelled";
    case Code::kInternal: return "Internal";
  }
  return "Internal";
}

namespace {
Error make(Code code, std::string message) {
  Error e;
  e.code = code;
  e.message = std::move(message);
  return e;
}

Code codeOfErrno(int err) {
  switch (err) {
    case ENOENT:
    case ENOTDIR: return Code::kNotFound;
    case EACCES:
    case EPERM: return Code::kDenied;
    case ENOSPC:
    case EDQUOT:
    case EAGAIN:
    case EIO: return Code::kUnavailable;
    default: return Code::kInternal;
  }
}
}  // namespace

Error invalid(std::string message) { return make(Code::kInvalid, std::move(message)); }
Error notFound(std::string message) { return make(Code::kNotFound, std::move(message)); }
Error conflict(std::string message) { return make(Code::kConflict, std::move(message)); }
Error denied(std::string message) { return make(Code::kDenied, std::move(message)); }
Error cancelled(std::string message) { return make(Code::kCancelled, std::move(message)); }
Error internal(std::string message) { return make(Code::kInternal, std::move(message)); }

Error unavailable(std::string message, Millis retryAfter) {
  Error e = make(Code::kUnavailable, std::move(message));
  e.retryAfter = retryAfter;
  return e;
}

Error systemError(std::string_view call, std::string_view object, int err) {
  std::string text(call);
  if (!object.empty()) {
    text += " " + quoted(object);
  }
  char buffer[256];
  text += ": ";
  text += strerror_r(err, buffer, sizeof buffer);
  return make(codeOfErrno(err), std::move(text));
}

std::string quoted(std::string_view text, std::size_t limit) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  const bool cut = text.size() > limit;
  for (const char c : text.substr(0, limit)) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (u < 0x20 || u == 0x7f) {
      out += "\\x";
      out += kHex[u >> 4];
      out += kHex[u & 15];
    } else {
      out += c;
    }
  }
  out += cut ? "…\"" : "\"";
  return out;
}

}  // namespace stagewright
