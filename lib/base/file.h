// Files, with bounds and without following links.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/fd.h"

namespace stagewright {

/// The whole file, at most `limit` bytes (kInvalid beyond). Follows links: only for paths we trust.
Result<std::string> loadFile(const std::string& path, std::size_t limit);

/// Writes `bytes` under a temporary name in the same directory, fsyncs, renames over `path`. A reader sees all or nothing.
/// `mode` is exact, whatever the umask.
Status saveFileAtomically(const std::string& path, std::string_view bytes, unsigned mode = 0644);

/// Opens `path` (relative) beneath the directory `dir`, refusing symbolic links anywhere and `..` out of it, by
/// openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS). For files a stage may have planted.
Result<Fd> openBeneath(int dir, const std::string& path, int flags, unsigned mode = 0);

/// openBeneath plus read, at most `limit` bytes; only a regular file (a fifo or device would block or lie).
Result<std::string> loadFileBeneath(int dir, const std::string& path, std::size_t limit);

Result<Fd> openDirectory(const std::string& path);

/// mkdir -p.
Status makeDirectories(const std::string& path, unsigned mode = 0755);

/// Writes all of `bytes`, in spite of short writes and EINTR.
Status writeAll(int fd, std::string_view bytes, std::string_view name);

}  // namespace stagewright
