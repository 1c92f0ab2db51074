// Values inside instructions that can only be read after expansion: mounts, ports, signals, modes,
// owners. Errors are kInvalid with BuildKit's wording and without a place; the caller adds it with
// errorAt().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/dockerfile/instruction.h"

namespace stagewright::dockerfile {

using WordExpander = std::function<Result<std::string>(std::string_view)>;

/// Reads a `--mount` (§5.2); `expand` is applied to each value before it is read.
Result<Mount> parseMount(std::string_view text, const WordExpander& expand);

/// The `from` of a `--mount`, which is known before expansion. It must not contain variables
/// (§4.1).
Result<std::string> mountSource(std::string_view text);

std::string_view mountTypeName(MountType type);
std::string_view cacheSharingName(CacheSharing sharing);

struct PortList {
  /// `port/proto`, ranges expanded, in the order of the sorted words (§5.5).
  std::vector<std::string> ports;
};
/// Reads the words of EXPOSE, expanded and split.
Result<PortList> parsePorts(const std::vector<std::string>& words);

/// `SIGxxx`, `xxx` or a number (§5.9): "invalid signal: X".
Status checkStopSignal(std::string_view signal);

/// A `--chmod` value (§6.7): octal, or a symbolic expression.
struct ModeChange {
  std::optional<std::uint32_t> absolute;  ///< set for octal
  std::string symbolic;                   ///< set otherwise, syntax checked
};
Result<ModeChange> parseChmod(std::string_view text);
/// The mode that `change` makes of `mode` (permission bits, setuid, setgid, sticky), umask 0.
std::uint32_t applyChmod(const ModeChange& change, std::uint32_t mode, bool isDirectory);

/// `user[:group]` of --chown and USER, split only; `groupGiven` tells `u:` from `u`.
struct Owner {
  std::string user;
  std::string group;
  bool groupGiven = false;
};
Owner splitOwner(std::string_view text);

/// What RUN hands to the kernel (§3.3).
struct RunScript {
  std::vector<std::string> args;  ///< to be prefixed with the shell if `prependShell`
  bool prependShell = true;
  std::optional<Heredoc> pipeFile;  ///< mounted read-only with mode 0755 as /dev/pipes/<name>
};
Result<RunScript> makeRunScript(const Run& run);

/// A duration in Go's syntax (`1h2m3.5s`, `-1s`, `0`) in nanoseconds: `time: invalid duration "x"`.
Result<std::int64_t> parseGoDuration(std::string_view text);
/// As Go prints a duration: `5m0s`, `1.5s`, `0s`.
std::string formatGoDuration(std::int64_t nanoseconds);

/// Go's %q of a string, as history entries show arguments (§9.1).
std::string goQuoted(std::string_view text);

/// Go's filepath.Clean for slash-separated paths.
std::string cleanPath(std::string_view path);

/// Whether an argument's or variable's name looks like a secret (§10, SecretsUsedInArgOrEnv).
bool isSecretName(std::string_view name);

}  // namespace stagewright::dockerfile
