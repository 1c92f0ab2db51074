// Runs another program and collects what it says, with bounds on time and output.
#pragma once

#include <string>
#include <vector>

#include "lib/base/error.h"

namespace stagewright::prepare {

struct Program {
  std::vector<std::string> argv;  ///< argv[0] is looked up in this process's PATH
  std::vector<std::string> env;   ///< complete: nothing is inherited
  std::string directory;          ///< working directory
  Millis timeout{0};
  std::size_t outputLimit = 1024 * 1024;  ///< of each stream; what goes beyond is read and dropped
};

struct ProgramEnd {
  int exitCode = 0;  ///< 128 + signal if one ended it
  bool timedOut = false;
  std::string out;
  std::string err;
};

/// Standard input is /dev/null. The program gets a process group of its own, and what is left of
/// the group is killed at the end. Errors: kNotFound if there is no such program, kInternal.
Result<ProgramEnd> runProgram(const Program& program);

}  // namespace stagewright::prepare
