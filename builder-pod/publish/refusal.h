// Why a publish ended without an image: an exit code for the operator and a failure for people.
#pragma once

#include <string>

#include "lib/base/error.h"
#include "lib/plan/contract.h"
#include "lib/plan/report.h"

namespace stagewright::publish {

struct Refusal {
  plan::Exit exit = plan::Exit::kInternal;
  plan::Failure failure;
};

/// What was being done when an error came: it decides whose fault the error is.
enum class Phase {
  kPush,         ///< talking to the output registry
  kBase,         ///< reading the base image's layers where it lives
  kCredentials,  ///< reading Secrets
  kVolume,       ///< reading what prepare and the stages left
};

/// Pure. A stop request becomes reason Disrupted.
Refusal makeRefusal(Phase phase, const Error& error);

}  // namespace stagewright::publish
