// RFC 7396: the patch that makes one JSON value of another.
#pragma once

#include "lib/base/json.h"

namespace stagewright::op {

/// What is gone becomes null, arrays are replaced whole. Empty object: nothing differs. REQUIRES:
/// `to` holds no nulls.
Json makeMergePatch(const Json& from, const Json& to);

}  // namespace stagewright::op
