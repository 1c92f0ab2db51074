// The stage's own directory on the workspace volume. A RUN step is root in the same container and
// can write here too, so everything goes through descriptors taken before the first step, and
// whatever lies in the way is removed, never followed.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/layer/stream.h"

namespace stagewright::stage {

/// A file that was written as a whole.
struct WrittenFile {
  std::string digest;  ///< sha256:…
  std::int64_t size = 0;
};

class OutDirectory {
 public:
  /// Makes `layers` and `artifacts`, empty: what an earlier process left is removed.
  static Result<OutDirectory> make(const std::string& path);

  /// Writes `<directory>/<name>` by `fill` under a temporary name, fsyncs, renames. `relative` is
  /// one of contract.h's paths.
  Result<WrittenFile> write(const std::string& relative,
                            const std::function<Status(layer::ByteSink&)>& fill);
  /// A new, empty file that grows while others may read it.
  Result<Fd> openGrowing(const std::string& name);
  Status writeText(const std::string& relative, std::string_view text);
  /// kInvalid if a step replaced one of the directories: what was written is lost to its readers
  /// then.
  Status check() const;

 private:
  struct Place {
    int directory;
    std::string name;
  };
  Result<Place> placeOf(const std::string& relative) const;

  Fd out_;
  Fd layers_;
  Fd artifacts_;
};

}  // namespace stagewright::stage
