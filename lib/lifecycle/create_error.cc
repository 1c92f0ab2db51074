#include "lib/lifecycle/create_error.h"

#include <algorithm>

#include "lib/api/reasons.h"

namespace stagewright::lifecycle {

namespace {
using Kind = CreateVerdict::Kind;

/// A namespace that is a second old has no default ServiceAccount yet, and says so with a 403.
bool isYoungNamespace(const CreateError& error, Millis grace) {
  return contains(error.message, "serviceaccount") && contains(error.message, "not found") &&
         error.last - error.first < grace;
}

/// RBAC refuses us before anything looks at the object: nothing that its user did or could mend.
bool lacksRights(const CreateError& error) { return contains(error.message, "cannot create resource"); }

Kind kindOf(const CreateError& error, Millis grace) {
  if (contains(error.message, "is being terminated") || error.httpStatus == 404) {
    return Kind::kLeaving;
  }
  if (error.httpStatus == 409) {
    // The other 409 is a conflict on the quota object itself: try again.
    return error.reason == "AlreadyExists" ? Kind::kConflict : Kind::kTransient;
  }
  if (error.httpStatus == 403 && contains(error.message, "exceeded quota")) {
    return Kind::kQuota;
  }
  if (error.httpStatus == 403 && (isYoungNamespace(error, grace) || lacksRights(error))) {
    return Kind::kTransient;
  }
  const bool refused =
      error.httpStatus == 400 || error.httpStatus == 403 || error.httpStatus == 422;
  return refused ? Kind::kDenied : Kind::kTransient;
}

/// 10, 20, 40, 60 s for quota; 1, 2, 4, … 30 s for what should pass by itself.
TimePoint retryTime(const CreateError& error, Kind kind) {
  const int doublings = std::clamp(error.count - 1, 0, 6);
  const auto first = std::chrono::seconds(kind == Kind::kTransient ? 1 : 10);
  const auto cap = std::chrono::seconds(kind == Kind::kTransient ? 30 : 60);
  return error.last + std::min(first * (1 << doublings), cap);
}
}  // namespace

CreateVerdict judgeCreateError(const CreateError& error, Millis grace) {
  CreateVerdict out;
  out.kind = kindOf(error, grace);
  out.retryAt = retryTime(error, out.kind);
  return out;
}

Outcome refusedOutcome(const CreateVerdict& verdict, const CreateError& error,
                       const std::string& name) {
  if (verdict.kind == Kind::kConflict) {
    return outcomeOf(api::reason::kNameConflict,
                     quoted(name) +
                         " exists and does not belong to this ImageBuild; delete it or give the "
                         "ImageBuild another name");
  }
  return outcomeOf(api::reason::kAdmissionDenied,
                   "the API server refused to create " + quoted(name) + ": " + error.message);
}

}  // namespace stagewright::lifecycle
