// Pieces that several of the JSON codecs of this folder share. Internal to lib/plan.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/oci/digest.h"
#include "lib/oci/manifest.h"
#include "lib/plan/plan.h"

namespace stagewright::plan {

/// An integer within [low, high].
Result<int> parseInt(const JsonReader& reader, std::string_view key, int low, int high);
Result<std::int64_t> parseSize(const JsonReader& reader,
                               std::string_view key);  ///< required, not negative
Result<oci::Digest> parseDigest(const JsonReader& reader, std::string_view key);  ///< required
Result<oci::Platform> parsePlatformAt(const JsonReader& reader, std::string_view key);
Result<std::vector<int>> parseInts(const JsonReader& reader, std::string_view key);

Json toJson(const Warning& warning);
Result<Warning> parseWarning(const JsonReader& reader);

/// Absolute and clean as Go's filepath.Clean leaves it: no `.`, `..`, empty component, no slash at
/// the end, no NUL.
bool isCleanAbsolute(std::string_view path);
/// The same below a directory: no slash at the front either; `.` alone is the directory.
bool isCleanRelative(std::string_view path);
/// 'repository@sha256:…' and no tag.
bool isPinned(std::string_view reference);

}  // namespace stagewright::plan
