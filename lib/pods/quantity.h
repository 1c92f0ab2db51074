// Kubernetes quantities, as far as comparing requests needs them: `500m`, `1.5`, `4Gi`,
// `128974848`, `1e3`.
#pragma once

#include <string_view>

#include "lib/base/error.h"

namespace stagewright::pods {

/// The value in units of one thousandth. kInvalid for another shape or a value above 2^53 (8 Ti).
Result<double> parseQuantity(std::string_view text);

/// a < b; a text that is no quantity counts as the larger one, so that the API server gets to
/// refuse it.
bool quantityLess(std::string_view a, std::string_view b);

}  // namespace stagewright::pods
