// From the syntax tree to typed instructions (§5): what can be judged without the values of
// variables.
#pragma once

#include "lib/dockerfile/instruction.h"
#include "lib/dockerfile/mistake.h"
#include "lib/dockerfile/syntax.h"

namespace stagewright::dockerfile {

/// Messages worded as in BuildKit, without `dockerfile parse error on line N` in front.
Parsed<InstructionBody> convertNode(const SyntaxNode& node);

}  // namespace stagewright::dockerfile
