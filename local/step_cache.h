// Steps that other builds left in registries and directories: --cache-from and --cache-to.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "lib/base/error.h"
#include "lib/registry/client.h"
#include "local/cache_format.h"
#include "local/options.h"
#include "local/progress.h"
#include "local/store.h"

namespace stagewright::local {

/// Thread-safe once load() has returned.
class StepCache {
 public:
  /// Borrows both.
  StepCache(Store& store, registry::Client& client) : store_(store), client_(client) {}

  /// Reads what the locations have. One that cannot be read is a warning and counts as empty: a first build has no cache.
  void load(const std::vector<CacheLocation>& from, const oci::Platform& platform, Progress& progress, std::stop_token stop);
  bool isEmpty() const { return steps_.empty(); }
  /// A record without a layer directory.
  std::optional<StepRecord> findStep(const std::string& key) const;
  std::optional<std::string> findNote(const std::string& name) const;
  /// Brings the blob of a record that findStep() gave into the store.
  Status fetchBlob(const BlobRecord& blob, std::stop_token stop) const;

  /// Writes `content` to `to`, a registry or a directory. REQUIRES: its blobs are in the store.
  Status save(const CacheContent& content, const CacheLocation& to, std::stop_token stop) const;

 private:
  using Origin = std::variant<oci::Repository, std::string>;  ///< or a directory

  Result<CacheContent> loadRegistry(const oci::Reference& reference, const oci::Platform& platform, std::stop_token stop) const;
  Result<CacheContent> loadDirectory(const std::string& directory) const;
  void add(CacheContent content, const Origin& origin);
  Status readBlob(const Origin& origin, const BlobRecord& blob, const http::BodySink& sink, std::stop_token stop) const;
  Status push(const CacheManifest& cache, const CacheContent& content, const oci::Reference& to, std::stop_token stop) const;
  Status write(const CacheManifest& cache, const CacheContent& content, const std::string& directory) const;

  Store& store_;
  registry::Client& client_;
  std::map<std::string, StepRecord> steps_;
  std::map<std::string, std::string> notes_;
  std::map<std::string, Origin> origins_;  ///< by digest of the blob
};

}  // namespace stagewright::local
