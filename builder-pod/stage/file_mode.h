// --chmod: octal, or symbolic as chmod(1) takes it with umask 0 (docs: Dockerfile language, 6.7).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::stage {

class FileMode {
 public:
  /// kInvalid with BuildKit's text. REQUIRES: not empty.
  static Result<FileMode> parse(std::string_view text);
  /// The new 07777 of something that has `mode` (07777) now.
  std::uint32_t apply(std::uint32_t mode, bool isDirectory) const;
  bool isNumeric() const { return numeric_; }
  /// REQUIRES: isNumeric().
  std::uint32_t number() const { return number_; }

 private:
  struct Command {
    char op;             ///< + - X, or u g o for a copy of those bits
    std::uint32_t bits;  ///< set or cleared; for copies the places that may change
    bool set = false;    ///< copies only
    bool clear = false;
  };
  struct Clause;
  static void addOperation(FileMode& mode, char op, std::uint32_t who, std::uint32_t permissions);
  static void addCopy(FileMode& mode, char from, std::uint32_t who, char op);
  static bool parseClause(FileMode& mode, std::string_view& text);
  static void parseActions(FileMode& mode, std::string_view& text, char op, std::uint32_t who);
  static std::uint32_t applyCopy(const Command& c, std::uint32_t mode);

  bool numeric_ = false;
  std::uint32_t number_ = 0;
  std::vector<Command> commands_;
};

}  // namespace stagewright::stage
