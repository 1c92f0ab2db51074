// The root file system a stage changes: a Root plus what the kubelet mounted over it. A mounted
// path cannot be replaced in place, so a table in memory (the shadow) holds what the image has
// there; COPY, layers and artifacts look through it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/layer/root.h"
#include "lib/layer/xattr.h"

namespace stagewright::layer {

/// A file of the image that lies below a mount. The content is in an anonymous file that no other
/// process can open.
struct ShadowNode {
  FileStat stat;
  std::string link;
  Xattrs xattrs;
  Fd content;
};

/// What to set on an object; what is absent stays.
struct Metadata {
  std::optional<std::uint32_t> uid;  ///< together with gid
  std::optional<std::uint32_t> gid;
  std::optional<std::uint32_t> mode;  ///< 07777; ignored for links
  std::optional<Timestamp> mtime;
  Xattrs xattrs;
  bool strictXattrs =
      false;  ///< else an attribute that cannot be set is left out, as BuildKit does
};

/// All paths are clean, relative and free of links (Root::resolve gives such). Nothing is ever
/// written through a link or below a mount, and nothing at or below an excluded path (kDenied). Not
/// thread-safe.
class Tree {
 public:
  /// `excluded`: paths that are ours and not the image's. `volumes`: mounts that are the image's.
  static Result<Tree> open(const std::string& path, std::set<std::string> excluded,
                           std::set<std::string> volumes);

  const Root& root() const { return root_; }
  const std::set<std::string>& excluded() const { return excluded_; }
  const std::set<std::string>& volumes() const { return volumes_; }
  const std::map<std::string, ShadowNode>& shadow() const { return shadow_; }
  Result<std::string> resolve(std::string_view path, bool followLast = true) const;

  /// kNotFound if the image has nothing there.
  Result<FileStat> stat(const std::string& path);
  Result<std::string> readLink(const std::string& path);
  Result<Xattrs> xattrs(const std::string& path);
  /// A regular file for reading.
  Result<Fd> openFile(const std::string& path);
  /// Sorted; of a mount point only what the shadow knows.
  Result<std::vector<std::string>> list(const std::string& path);

  /// A new empty file, open for reading and writing. kConflict if something is there.
  Result<Fd> makeFile(const std::string& path, std::uint32_t mode);
  /// The open directory in which the caller may make the regular file `path` on its own, from
  /// another thread too; counts `path` as touched. Null where only makeFile() knows what to do: below
  /// a mount, or at one, which is not looked for if `isFresh`. REQUIRES: nothing but a mount is there.
  /// Owners: this object's cache and whoever makes files.
  Result<std::shared_ptr<const Fd>> claimFile(const std::string& path, bool isFresh);
  Status makeDirectory(const std::string& path, std::uint32_t mode);
  Status makeSymlink(const std::string& path, const std::string& target);
  Status makeLink(const std::string& path, const std::string& existing);
  /// Devices and fifos. A device that we may not make goes into the shadow: the image has it, the
  /// container does not.
  Status makeNode(const std::string& path, std::uint32_t mode, std::uint32_t major,
                  std::uint32_t minor);
  Status setMetadata(const std::string& path, const Metadata& metadata);
  /// The whole tree at `path`; what is not there is no error.
  Status remove(const std::string& path);
  /// Puts a plain file into the shadow: for a mounted file that a step wrote to.
  Status shadowFile(const std::string& path, const FileStat& stat, std::string_view content);

  /// Whether the object at `path` is a mount that is not the image's (or lies below one).
  bool isMounted(const std::string& path);

  /// Paths made or changed since the last call, those in the shadow included.
  std::set<std::string> takeTouched() { return std::exchange(touched_, {}); }

 private:
  struct Place {
    int directory = -1;  ///< borrowed from the cache
    std::string name;
    bool shadowed = false;
  };

  explicit Tree(Root root) : root_(std::move(root)) {}
  Status allowed(const std::string& path) const;
  Result<Place> locate(const std::string& path);
  bool isForeign(const FileStat& st) const { return !mounts_.contains(st.mount); }
  bool liesBelowMount(const std::string& path) const;
  bool leafIsMount(const Place& place) const;
  /// After EEXIST: whether the object in the way is a mounted non-directory, which the shadow
  /// replaces.
  bool mustShadow(const Place& place) const { return place.shadowed || leafIsMount(place); }
  ShadowNode& addShadow(const std::string& path, std::uint32_t mode);
  Status setShadowMetadata(ShadowNode& node, const Metadata& metadata);
  void forget(const std::string& path);

  Root root_;
  std::set<std::string> excluded_;
  std::set<std::string> volumes_;
  std::set<std::uint64_t> mounts_;
  std::map<std::string, ShadowNode> shadow_;
  std::set<std::string> touched_;
  // The directory used last: walks are depth-first, so nearly every lookup finds it.
  std::string cachedPath_;
  std::shared_ptr<const Fd> cached_;
  bool cachedForeign_ = false;
};

}  // namespace stagewright::layer
