// The file tree that the layers of an image make: for listing and comparing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "lib/base/error.h"
#include "lib/layer/stream.h"
#include "lib/layer/tar_entry.h"

namespace stagewright::cli {

/// One file, which may have several names (hard links).
struct TreeFile {
  layer::TarEntry entry;  ///< name: that under which its data came
  std::string sha256;     ///< of a regular file's data
  int layer = 0;          ///< in which its data is,
  int position = 0;       ///< and as which entry of that layer's archive
};

/// Applies layers in order, as the image specification has it: whiteouts and opaque directories act
/// on lower layers only, whatever their place in the archive.
class ImageTree {
 public:
  using Files =
      std::map<std::string, std::shared_ptr<TreeFile>>;  ///< shared by all names of a file

  /// Reads one uncompressed layer. kInvalid for a broken archive or a name that leads out.
  Status apply(layer::ByteSource& tar);
  const Files& files() const { return files_; }
  int layers() const { return layers_; }

 private:
  Status addEntry(layer::TarEntry entry, std::string sha256, int position, Files& added);
  void removeBelow(const std::string& path);
  void remove(const std::string& path);

  Files files_;
  int layers_ = 0;
};

/// One line per path: path, type, mode, uid, gid, size, sha256, link, and `name=hex` for each
/// extended attribute, separated by tabs; `-` where there is nothing. Link is a symbolic link's
/// target, a device's numbers, or the first name of a file that has several. Times are left out;
/// names are escaped so that a line is a line.
std::string listTree(const ImageTree& tree);

}  // namespace stagewright::cli
