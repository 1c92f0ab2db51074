// What a failed git command means. git has one exit code for all of it, so its words decide;
// LC_ALL=C keeps them stable.
#pragma once

#include <string>
#include <string_view>

#include "builder-pod/prepare/refusal.h"
#include "builder-pod/prepare/subprocess.h"
#include "lib/plan/request.h"

namespace stagewright::prepare {

/// Nothing if the fetch succeeded. Refuses: SourceRevisionNotFound, SourceAuthFailed,
/// SourceNotFound, SourceUnavailable. `authenticated`: credentials were sent.
Outcome<void> judgeFetch(const plan::GitSource& source, bool authenticated, const ProgramEnd& end);

/// The server is there and has not what was asked for.
bool isRevisionMissing(const ProgramEnd& end);

/// SourceRevisionNotFound; `err` is what git said about it, or empty.
Refusal refuseRevision(const plan::GitSource& source, std::string_view err);

/// git's own words about the cause: the last line that is not empty, without its prefix and control
/// characters.
std::string lastWords(std::string_view err);

}  // namespace stagewright::prepare
