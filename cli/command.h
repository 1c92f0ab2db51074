// A subcommand of `stagewright`.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stagewright::cli {

/// Exit codes of every subcommand that has no others of its own.
inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsageError = 2;

/// Errors and findings repeat what stands in Dockerfiles and what servers say: at most so many bytes
/// of it are printed, through cleanText.
inline constexpr std::size_t kMaxShown = 64 * 1024;

struct Command {
  std::string_view name;
  std::string_view summary;
  /// `args` is what follows the name. Prints its own errors and returns the exit code.
  int (*run)(const std::vector<std::string>& args);
};

}  // namespace stagewright::cli
