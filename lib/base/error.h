// The error convention, defined once.
//
// A function that can fail returns Result<T> (or Status). Code says what a *caller* can do about it; policy reads the
// code and never the text. The message says operation, object, cause: lower case, no final period, outermost context
// first. An error is returned or logged, never both.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace stagewright {

using Millis = std::chrono::milliseconds;

enum class Code {
  kInvalid,      ///< the input is wrong: terminal
  kNotFound,     ///< often a success for the caller
  kConflict,     ///< read again, then retry
  kDenied,       ///< authentication or authorization: terminal
  kUnavailable,  ///< retry with backoff, honour retryAfter
  kCancelled,    ///< stop quietly
  kInternal,     ///< a bug: report, do not retry for ever
};

std::string_view codeName(Code code);

/// A place in a text file. Lines and columns count from 1; column 0 means "the whole line".
struct SourceRange {
  std::string file;
  int line = 0;
  int column = 0;
  int endLine = 0;

  bool operator==(const SourceRange&) const = default;
};

struct [[nodiscard]] Error {
  Code code = Code::kInternal;
  std::string message;
  std::optional<SourceRange> where;
  Millis retryAfter{0};

  /// Puts an operation in front of the message: `push manifest "x": <message>`.
  Error during(std::string_view operation) && {
    message = std::string(operation) + ": " + message;
    return std::move(*this);
  }
};

/// tl::expected itself is not [[nodiscard]]; a class that derives from it is (an alias would not be checked).
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using Base = tl::expected<T, Error>;
  using Base::Base;
  Result(Base base) : Base(std::move(base)) {}                       // NOLINT: results of map() come back here
  Result(Error error) : Base(tl::unexpected<Error>(std::move(error))) {}  // NOLINT: `return Error{...}`
};

using Status = Result<void>;

inline Status ok() { return Status(); }

Error invalid(std::string message);
Error notFound(std::string message);
Error conflict(std::string message);
Error denied(std::string message);
Error unavailable(std::string message, Millis retryAfter = Millis(0));
Error cancelled(std::string message);
Error internal(std::string message);

/// Error of a failed system call: `open "/x": No such file or directory`. ENOENT is kNotFound, EACCES and EPERM are
/// kDenied, ENOSPC, EAGAIN and EIO kUnavailable, everything else kInternal. REQUIRES: `err` is an errno value.
Error systemError(std::string_view call, std::string_view object, int err);

/// `text` in double quotes with control characters escaped, cut at `limit` bytes: for messages.
std::string quoted(std::string_view text, std::size_t limit = 512);
// Where <filesystem> is included, argument-dependent lookup finds std::quoted too; for a std::string it must not win.
inline std::string quoted(const char* text) { return quoted(std::string_view(text)); }
inline std::string quoted(const std::string& text) { return quoted(std::string_view(text)); }
inline std::string quoted(std::string& text) { return quoted(std::string_view(text)); }

}  // namespace stagewright

#define STAGEWRIGHT_CONCAT_(a, b) a##b
#define STAGEWRIGHT_CONCAT(a, b) STAGEWRIGHT_CONCAT_(a, b)

/// TRY(Manifest m, parseManifest(bytes)): declares `m` from the value, or returns the error. Statement position only.
#define TRY(declaration, expression) \
  TRY_(STAGEWRIGHT_CONCAT(tryResult_, __LINE__), declaration, expression)
#define TRY_(temporary, declaration, expression)                         \
  auto temporary = (expression);                                         \
  if (!temporary) {                                                      \
    return std::move(temporary).error();                                 \
  }                                                                      \
  declaration = std::move(*temporary)

/// CHECK_OK(saveBlob(...)): returns the error of a Status, if it has one.
#define CHECK_OK(expression)                                   \
  do {                                                         \
    auto checkOkStatus_ = (expression);                        \
    if (!checkOkStatus_) {                                     \
      return std::move(checkOkStatus_).error();                \
    }                                                          \
  } while (false)
