// COPY and ADD (§5.12).
#pragma once

#include "lib/dockerfile/instruction.h"
#include "lib/dockerfile/mistake.h"
#include "lib/dockerfile/syntax.h"

namespace stagewright::dockerfile {

Parsed<InstructionBody> convertCopy(const SyntaxNode& node);
Parsed<InstructionBody> convertAdd(const SyntaxNode& node);

}  // namespace stagewright::dockerfile
