// The values of Secrets that this stage may show: in the memory of PID 1, which no step can read,
// and nowhere else.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder-pod/stage/stop.h"
#include "lib/base/error.h"

namespace stagewright::stage {

struct HeldSecrets {
  std::map<std::string, std::string> values;  ///< by id: RUN --mount=type=secret
  std::map<std::string, std::string> keys;    ///< by id: RUN --mount=type=ssh

  /// What a log must not show: values and, of those with several lines, the lines; what is so short
  /// that it stands everywhere is left out.
  std::vector<std::string> masks() const;
};

/// Removes everything in `directory`, which others may have written to.
Status removeContents(int directory);

/// Waits until `directory` has been filled (lib/plan/hand_over.h), takes everything into memory and
/// leaves nothing there. REQUIRES: no step has run. Errors: kNotFound if a Secret does not exist
/// (the message names it), kUnavailable if nothing comes within `patience`, kCancelled.
Result<HeldSecrets> takeSecrets(const std::string& directory, Millis patience, const Stop& stop);

}  // namespace stagewright::stage
