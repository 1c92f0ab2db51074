// What a forked child does until it is the step's program. Between fork and exec only system calls
// happen: everything that needs memory is prepared before.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "builder-pod/stage/step_runner.h"
#include "lib/base/error.h"

namespace stagewright::stage {

/// Everything the child needs, as pointers that are ready for execve.
class ChildImage {
 public:
  explicit ChildImage(const RunRequest& request);
  ChildImage(const ChildImage&) = delete;
  ChildImage& operator=(const ChildImage&) = delete;

  /// Where the child stopped, sent to the parent if it could not become the program.
  struct Failure {
    enum class Where : int { kSetup, kWorkdir, kUser, kNetwork, kNotFound, kExec };
    Where where = Where::kSetup;
    int error = 0;
  };

  /// Never returns. `input`, `output` and `report` are close-on-exec descriptors.
  [[noreturn]] void become(int input, int output, int report) const;

  /// BuildKit-like text, and 127 or 126.
  static std::string describe(const Failure& failure, const RunRequest& request);
  static int exitCodeOf(const Failure& failure);

 private:
  [[noreturn]] void execute(int report) const;

  std::string workdir_;
  Identity identity_;
  std::vector<gid_t> groups_;
  bool networkNone_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::vector<std::string> candidates_;  ///< paths to try, in order
  std::vector<char*> argv_;
  std::vector<char*> envp_;
};

}  // namespace stagewright::stage
