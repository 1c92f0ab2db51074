// Writes tar archives as OCI layers want them: ustar where everything fits, pax records where not.
// Equal entries give equal bytes. Names are raw bytes; extended attributes are SCHILY.xattr
// records; times keep their nanoseconds.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/base/error.h"
#include "lib/layer/stream.h"
#include "lib/layer/tar_entry.h"

namespace stagewright::layer {

/// begin(), then exactly entry.size bytes by data() and zeros(), then end(); at last finish().
/// Borrows the sink.
class TarWriter {
 public:
  explicit TarWriter(ByteSink& sink) : sink_(sink) {}

  /// kInvalid if a name is empty or holds a NUL.
  Status begin(const TarEntry& entry);
  /// kInternal if more comes than begin() announced.
  Status data(std::string_view bytes);
  Status zeros(std::int64_t count);
  /// Pads to the block. kInternal if less came than announced.
  Status end();
  /// An entry without data: begin() and end().
  Status add(const TarEntry& entry);
  /// The two zero blocks of the archive's end.
  Status finish();

 private:
  Status writePax(const TarEntry& entry, std::string_view records);

  ByteSink& sink_;
  std::int64_t left_ = 0;
  std::int64_t padding_ = 0;
};

}  // namespace stagewright::layer
