// A directory that is looked at as "/": paths are resolved inside it whatever the links in it say,
// and opened without following any link at all, so that nothing that a RUN step or an archive
// planted leads out.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/layer/tar_entry.h"

namespace stagewright::layer {

/// What we want to know of a file, by statx.
struct FileStat {
  std::uint32_t mode = 0;  ///< type and permissions, as st_mode
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t nlink = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t blocks = 0;  ///< of 512 bytes, on the disk
  Timestamp mtime;
  Timestamp ctime;
  std::uint32_t major = 0;  ///< of a device
  std::uint32_t minor = 0;
  std::uint64_t mount = 0;  ///< stx_mnt_id; 0 on kernels before 5.8

  bool isDirectory() const { return (mode & 0170000) == 0040000; }
  bool isFile() const { return (mode & 0170000) == 0100000; }
  bool isSymlink() const { return (mode & 0170000) == 0120000; }
  bool isSocket() const { return (mode & 0170000) == 0140000; }
  std::uint32_t permissions() const { return mode & 07777; }
  /// Whether looking for holes is worth it; without any this is false.
  bool mayHaveHoles() const { return blocks < (size + 511) / 512; }
};

/// statx without following a link. An empty name means `dir` itself. kNotFound if there is nothing.
Result<FileStat> statAt(int dir, const std::string& name);
/// The same of an open file; `name` is for the message.
Result<FileStat> statOpen(int fd, const std::string& name);
Result<std::string> readLinkAt(int dir, const std::string& name);
/// The names in a directory, sorted bytewise. `dir` is read from its beginning.
Result<std::vector<std::string>> listDirectory(int dir, const std::string& name);

/// Path arithmetic on clean relative paths; "" is the root.
std::string joinPath(std::string_view directory, std::string_view name);
std::string_view parentOf(std::string_view path);
std::string_view baseOf(std::string_view path);
/// `/a//b/./c/../d/` -> `a/b/d`; `..` stops at the root.
std::string cleanPath(std::string_view path);
/// Whether `path` is `ancestor` or below it.
bool isAtOrBelow(std::string_view path, std::string_view ancestor);

/// Not thread-safe against changes of the tree; REQUIRES for safety: nobody else changes it
/// meanwhile.
class Root {
 public:
  static Result<Root> open(const std::string& path);
  explicit Root(Fd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  /// Links on other mounts than these (stx_mnt_id) are not followed: /proc and the like are not the
  /// image's. An empty set allows all.
  void restrictTo(std::set<std::uint64_t> mounts) { mounts_ = std::move(mounts); }
  /// The clean relative path `path` means after following every link inside this root, as
  /// continuity's RootPath: what does not exist is taken as it is. With followLast == false the
  /// last part stays a link. kInvalid after 255 links.
  Result<std::string> resolve(std::string_view path, bool followLast = true) const;
  /// Opens without following any link. REQUIRES: a clean relative path.
  Result<Fd> open(const std::string& path, int flags, unsigned mode = 0) const;
  Result<Fd> openDirectory(const std::string& path) const;
  Result<FileStat> stat(const std::string& path) const;
  Result<std::string> readLink(const std::string& path) const;

 private:
  Fd fd_;
  std::set<std::uint64_t> mounts_;
};

/// Removes a file, or a directory with everything below it, without following links or entering
/// other mounts. What is not there is no error.
Status removeTree(int dir, const std::string& name);

}  // namespace stagewright::layer
