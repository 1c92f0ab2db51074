// The exec form: a JSON array of strings, judged as Go's encoding/json does (§2.8).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stagewright::dockerfile {

struct JsonStrings {
  enum class Kind {
    kStrings,     ///< the exec form
    kOtherArray,  ///< valid JSON, but not only strings: an error
    kNoJson,      ///< anything else: falls back to the shell form
  };
  Kind kind = Kind::kNoJson;
  std::vector<std::string> values;
};

/// REQUIRES: nothing; text that does not begin with `[` (after blanks) is kNoJson. Nesting is
/// capped (512).
JsonStrings parseJsonStrings(std::string_view text);

}  // namespace stagewright::dockerfile
