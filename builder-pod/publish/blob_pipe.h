// A blob on its way from one registry to another: fetched on a thread of its own, a megabyte ahead
// of the upload.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "lib/http/transport.h"
#include "lib/oci/manifest.h"
#include "lib/oci/reference.h"
#include "lib/registry/client.h"

namespace stagewright::publish {

/// Borrows the client. Used by one thread; the fetching thread is inside.
class BlobPipe final : public http::BodySource {
 public:
  /// A stop request ends read() with kCancelled.
  BlobPipe(registry::Client& from, oci::Repository repository, oci::Descriptor blob,
           std::stop_token stop)
      : from_(from),
        repository_(std::move(repository)),
        blob_(std::move(blob)),
        stop_(std::move(stop)) {}
  ~BlobPipe() override { end(); }

  Result<std::size_t> read(char* buffer, std::size_t size) override;
  /// Begins to fetch, again from the first byte.
  Status rewind() override;
  std::optional<std::int64_t> length() const override { return blob_.size; }
  /// Why fetching failed, if it did: to tell the source's faults from the target's.
  std::optional<Error> fetchError();

 private:
  void end();
  void runFetch(std::stop_token stop);
  Status put(std::string_view bytes, std::stop_token stop);

  registry::Client& from_;
  oci::Repository repository_;
  oci::Descriptor blob_;
  std::stop_token stop_;
  // A condition needs the bare mutex; it guards the four fields below.
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string buffer_;
  std::size_t offset_ = 0;
  bool ended_ = false;
  std::optional<Error> error_;
  std::jthread fetcher_;  ///< last: it uses everything above
};

}  // namespace stagewright::publish
