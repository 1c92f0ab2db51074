// HEALTHCHECK (§5.10).
#pragma once

#include "lib/dockerfile/instruction.h"
#include "lib/dockerfile/mistake.h"
#include "lib/dockerfile/syntax.h"

namespace stagewright::dockerfile {

Parsed<InstructionBody> convertHealthcheck(const SyntaxNode& node);

}  // namespace stagewright::dockerfile
