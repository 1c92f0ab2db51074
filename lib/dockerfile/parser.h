// Bytes of a Dockerfile to typed instructions. Pure; input is bounded (kMaxFileBytes,
// kMaxLineBytes).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/dockerfile/instruction.h"
#include "lib/dockerfile/source.h"

namespace stagewright::dockerfile {

inline constexpr std::size_t kMaxFileBytes = 16 * 1024 * 1024;
inline constexpr std::size_t kMaxLineBytes = 65535;  ///< §2.1

/// Parses and validates the whole file. Errors: kInvalid with `where` and the formatted text
/// (diagnostic.h), whose message part is worded as §2 to §5 give it. What depends on the values of
/// variables is not validated here.
Result<ParsedFile> parseDockerfile(const Source& source);

/// Parses one trigger of a base image's `OnBuild` (§5.11), always with `\` as escape character.
/// `displayName` is the name in messages. Errors: kInvalid.
Result<Instruction> parseTrigger(std::string_view text,
                                 std::string_view displayName = "ONBUILD trigger");

/// The directives alone, for those that only ask which frontend a file wants; understands the forms
/// of §2.4.
Result<Directives> parseDirectives(const Source& source);

/// The syntax tree before expansion and validation, one S-expression per line
/// (conformance/README.md).
Result<std::string> dumpSyntaxTree(const Source& source);

}  // namespace stagewright::dockerfile
