// Which edits start a run: hashes over what the user set. Inputs (I in api.md) always start one,
// remedies (R) only after a failure, the rest never.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/api/image_build.h"

namespace stagewright::api {

/// The token that counts now: the rebuild annotation, or the last one handled (removing the
/// annotation does nothing).
std::string rebuildToken(const ImageBuild& build);
/// The same for rebuild-no-cache.
std::string noCacheToken(const ImageBuild& build);
/// Both in one text for inputHash(); the first alone as long as the second was never used.
std::string joinTokens(const std::string& rebuild, const std::string& noCache);

/// sha256:… over the canonical JSON of the inputs that are set, and the rebuild token. Lists that
/// are maps or sets are sorted by key, because order means nothing there. A field that a later
/// version adds changes no hash until it is set.
std::string inputHash(const ImageBuildSpec& spec, std::string_view token);

/// The same over the remedies.
std::string remediesHash(const ImageBuildSpec& spec);

/// First 10 characters of base32(sha256(uid, inputHash, sequence)): lower-case letters and digits
/// 2-7.
std::string makeRunId(std::string_view uid, std::string_view inputHash, std::int64_t sequence);

}  // namespace stagewright::api
