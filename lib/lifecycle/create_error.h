// What a refused create means. Internal to lib/lifecycle.
#pragma once

#include <string>

#include "lib/lifecycle/outcome.h"
#include "lib/lifecycle/world.h"

namespace stagewright::lifecycle {

struct CreateVerdict {
  enum class Kind {
    kTransient,  ///< no answer, 429, 5xx, rights that the operator lacks, a default ServiceAccount
                 ///< that is not there yet
    kQuota,      ///< waits for others to end
    kDenied,     ///< Pod Security, LimitRange, a webhook: only a person helps
    kConflict,   ///< the name belongs to someone else
    kLeaving,    ///< the namespace is being deleted: stop quietly
  };
  Kind kind = Kind::kTransient;
  TimePoint retryAt{};  ///< kTransient, kQuota, kLeaving
};

CreateVerdict judgeCreateError(const CreateError& error, Millis grace);

/// The end of a run whose object `name` was refused for good. REQUIRES: kDenied or kConflict.
Outcome refusedOutcome(const CreateVerdict& verdict, const CreateError& error,
                       const std::string& name);

}  // namespace stagewright::lifecycle
