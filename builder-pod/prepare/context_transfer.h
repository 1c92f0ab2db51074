// Puts the files that steps use into the context directory of the volume.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "builder-pod/prepare/context_selection.h"
#include "lib/base/error.h"
#include "lib/dockerfile/ignore.h"

namespace stagewright::prepare {

struct TransferOptions {
  /// The source is ours and is thrown away: files are renamed, not copied. REQUIRES: one file
  /// system.
  bool move = false;
  /// Modification time of everything, seconds since 1970; absent: as in the source.
  std::optional<std::int64_t> fixedTime;
};

struct TransferCount {
  std::int64_t files = 0;  ///< directories not counted
  std::int64_t bytes = 0;
};

/// Transfers what `selection` covers and `ignore` does not exclude from the directory `from` to the
/// empty directory `to`. Links are kept as links and never followed; modes and times are kept,
/// owners are not; hard links among the files stay; holes stay holes. A socket becomes an empty
/// file (§6.6). Errors: as systemError().
Result<TransferCount> transferContext(int from, int to, const ContextSelection& selection,
                                      const dockerfile::IgnoreMatcher& ignore,
                                      const TransferOptions& options);

}  // namespace stagewright::prepare
