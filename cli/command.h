// A subcommand of `stagewright`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stagewright::cli {

/// Exit codes of every subcommand that has no others of its own.
inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsageError = 2;

struct Command {
  std::string_view name;
  std::string_view summary;
  /// `args` is what follows the name. Prints its own errors and returns the exit code.
  int (*run)(const std::vector<std::string>& args);
};

}  // namespace stagewright::cli
