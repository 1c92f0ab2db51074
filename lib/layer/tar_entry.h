// One member of a tar archive, as we keep it: raw bytes, no encodings.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace stagewright::layer {

/// Seconds may be negative; nanoseconds are in [0, 999999999].
struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanos = 0;

  auto operator<=>(const Timestamp&) const = default;
};

/// The value is the type flag of the header.
enum class TarType : char {
  kFile = '0',
  kHardLink = '1',
  kSymlink = '2',
  kCharDevice = '3',
  kBlockDevice = '4',
  kDirectory = '5',
  kFifo = '6',
};

struct TarEntry {
  TarType type = TarType::kFile;
  std::string name;        ///< no trailing slash, directories too
  std::string link;        ///< target of a symbolic link, name of a hard link's first member
  std::uint32_t mode = 0;  ///< permissions, setuid, setgid, sticky: 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t size = 0;  ///< of the data that follows; 0 for everything but files
  Timestamp mtime;
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::map<std::string, std::string> xattrs;
};

/// The path below the directory an archive is unpacked into: no leading slash, no empty part, no
/// `.`; `..` is resolved as Go's filepath.Clean does. Empty for the root itself. kInvalid if it
/// leads out, holds a NUL or is longer than 4095 bytes.
Result<std::string> cleanEntryName(std::string_view name);

inline constexpr std::string_view kWhiteoutPrefix = ".wh.";
inline constexpr std::string_view kOpaqueMarker = ".wh..wh..opq";

/// `a/b` -> `a/.wh.b`
std::string whiteoutName(std::string_view path);

}  // namespace stagewright::layer
