// What goes into a layer: files of this machine under the paths they get, in a form that does not
// depend on the machine.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/layer/stream.h"
#include "lib/layer/tar_entry.h"

namespace stagewright::cli {

/// Everything belongs to root and has time 0; files have mode 0755 if somebody may execute them,
/// else 0644; directories 0755 unless addDirectory() says otherwise.
class ImageContent {
 public:
  /// A file, a link, or a directory with all below it, at `destination` (absolute).
  Status addTree(const std::string& source, const std::string& destination);
  /// A program and the shared libraries it needs. Libraries keep the directory they are really in;
  /// where the machine reaches it by a link at the root (/lib, /lib64), the image gets that link
  /// too.
  Status addProgram(const std::string& source, const std::string& destination);
  Status addDirectory(const std::string& destination, unsigned mode);
  Status addCaCertificates();

  /// The tar: sorted by path, parents first.
  Status write(layer::ByteSink& sink) const;
  bool empty() const { return members_.empty(); }

 private:
  struct Member {
    layer::TarEntry entry;
    std::string source;  ///< of a file's data
  };

  Status addParents(const std::string& path);
  Status addFile(const std::string& source, const std::string& path);
  Status addLink(const std::string& path, const std::string& target);
  Status addLibrary(const std::string& path);

  std::map<std::string, Member> members_;  ///< by path without leading slash
};

}  // namespace stagewright::cli
