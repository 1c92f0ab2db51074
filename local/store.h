// The local store: unpacked base layers, layers of finished steps, compressed blobs, cache mounts.
//
//   <root>/bases/<chain id>/           one base layer as an overlay's lower directory
//   <root>/layers/<id>/fs              one step's upper directory; never changed, never moved
//   <root>/steps/<key>.json            which layer a step made last, and what is known of it
//   <root>/blobs/<sha256>              compressed layers that were wanted as files
//   <root>/places/<sha256>             repositories into which a layer was pushed from here
//   <root>/images/<sha256>.json        what a registry said about an image: manifest and config
//   <root>/caches/<sha256>/            RUN --mount=type=cache
//   <root>/stems/<stem>                a step of this kind has been done: it is worth looking at what it copies
//   <root>/files/<sha256>              digests of a context's files
//   <root>/notes/<sha256>              digests of what is copied from a stage
//   <root>/tmp/<pid>-<random>/         of a running build
//
// Everything is made in tmp and renamed into place, so that builds beside each other see whole things only. What is here was
// written without syncs: entries of an earlier boot of the machine count as absent.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/compress/compressor.h"
#include "lib/oci/digest.h"
#include "lib/oci/manifest.h"
#include "lib/oci/reference.h"

namespace stagewright::local {

/// A compressed layer.
struct BlobRecord {
  oci::Digest digest;
  oci::Digest diffId;
  std::int64_t size = 0;
  compress::Format format = compress::Format::kGzip;

  bool operator==(const BlobRecord&) const = default;
};

struct StepRecord {
  std::string layer;                ///< id
  std::string created;              ///< RFC 3339: when the step ended
  std::optional<BlobRecord> blob;   ///< absent until somebody needed it
};

/// Thread-safe.
class Store {
 public:
  /// Makes what is missing and removes what killed builds left.
  static Result<Store> open(const std::string& root);
  Store(Store&&) = default;
  ~Store();

  /// A directory of this build alone; removed with the store object.
  const std::string& scratch() const { return scratch_; }
  /// A new empty directory below scratch().
  Result<std::string> makeScratchDirectory(const std::string& name);

  std::string basePath(const std::string& chainId) const;
  std::string baseFiles(const std::string& chainId) const { return basePath(chainId) + "/fs"; }
  std::string layerFiles(const std::string& id) const { return root_ + "/layers/" + id + "/fs"; }
  /// An empty directory that nobody changes.
  std::string emptyDirectory() const { return root_ + "/empty"; }
  std::string blobPath(const oci::Digest& digest) const { return root_ + "/blobs/" + std::string(digest.hex()); }
  std::string cachePath(const std::string& id) const;
  std::string imagePath(const std::string& name) const;
  std::string filesPath(const std::string& context) const;

  bool hasBase(const std::string& chainId) const;
  std::optional<StepRecord> findStep(const std::string& key) const;
  /// Whether a step that begins so (whatever it copies) may have been saved. False is certain.
  bool mayKnow(const std::string& stem) const;
  Status noteStem(const std::string& stem) const;
  /// Repositories that have had a blob, the latest first; what is remembered is a hint, no more.
  std::vector<oci::Repository> placesOf(const oci::Digest& digest) const;
  Status notePlace(const oci::Digest& digest, const oci::Repository& repository) const;
  /// Moves the finished directory `made` (with `fs` in it) among the layers; the id it has there.
  Result<std::string> keepLayer(const std::string& made) const;
  Status saveStep(const std::string& key, const StepRecord& record) const;
  /// One line that took time to find out, under a hexadecimal name.
  std::optional<std::string> findNote(const std::string& name) const;
  Status saveNote(const std::string& name, const std::string& text) const;
  Status saveBase(const std::string& chainId, const std::string& made) const;

  /// Held by one thread of this process per name.
  class Claim {
   public:
    Claim(Store& store, std::string name);
    ~Claim();
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

   private:
    Store& store_;
    std::string name_;
  };

 private:
  struct Claims {
    std::mutex mutex;  ///< guards `held`; a condition needs it bare
    std::condition_variable changed;
    std::set<std::string> held;
  };

  explicit Store(std::string root) : root_(std::move(root)), claims_(std::make_unique<Claims>()) {}
  Status prepare();
  void removeLeftovers() const;
  std::string notePath(const std::string& name) const { return root_ + "/notes/" + name; }
  std::string stepPath(const std::string& key) const { return root_ + "/steps/" + key + ".json"; }
  std::string placesPath(const oci::Digest& digest) const { return root_ + "/places/" + std::string(digest.hex()); }
  std::string stemPath(const std::string& stem) const { return root_ + "/stems/" + stem; }

  std::string root_;
  std::string scratch_;
  std::string boot_;
  Fd lock_;  ///< of scratch_, held while we live
  std::unique_ptr<Claims> claims_;
};

}  // namespace stagewright::local
