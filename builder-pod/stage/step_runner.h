// How a RUN step is started: the seam between the stage and the operating system. In a pod PID 1
// forks; the local engine starts a container.
#pragma once

#include <poll.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder-pod/stage/accounts.h"
#include "builder-pod/stage/stop.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"

namespace stagewright::stage {

/// A directory of the host that the step sees at `target`. Only for runners that can mount.
struct BindMount {
  std::string source;
  std::string target;  ///< absolute
  bool readOnly = false;
};

/// What must be answered while a step runs. The thread that waits for the step does it, so that no
/// other thread exists when it forks.
class StepService {
 public:
  virtual ~StepService() = default;
  /// What to wait for.
  virtual void addTo(std::vector<pollfd>& fds) const = 0;
  /// Acts on what has happened; never blocks. `fds` holds at least what addTo() added, after
  /// poll().
  virtual void serve(const std::vector<pollfd>& fds) = 0;
};

struct RunRequest {
  std::vector<std::string> argv;
  std::vector<std::string> env;  ///< complete
  std::string workdir;           ///< absolute, exists
  Identity identity;
  bool networkNone = false;
  std::vector<BindMount> binds;    ///< empty unless canBind()
  StepService* service = nullptr;  ///< borrowed for the call; may be null
};

struct RunOutcome {
  enum class Kind {
    kExited,      ///< with `exitCode`
    kKilled,      ///< by `signal`
    kNotStarted,  ///< `message` says why; `exitCode` is 127 (not found) or 126
    kTimedOut,
    kStopped,
  };
  Kind kind = Kind::kExited;
  int exitCode = 0;
  int signal = 0;
  std::string message;
  bool outOfMemory = false;  ///< the kernel killed a process of the step for memory
  std::string memoryLimit;   ///< for people, if known: "512Mi"

  bool succeeded() const { return kind == Kind::kExited && exitCode == 0; }
};

using OutputSink = std::function<void(std::string_view)>;

class StepRunner {
 public:
  virtual ~StepRunner() = default;
  /// Whether request.binds is honoured; else mounts are emulated in the tree.
  virtual bool canBind() const { return false; }
  /// Runs one step to its end. When it returns, no process of the step is left. An error is the
  /// builder's, never the step's.
  virtual Result<RunOutcome> run(const RunRequest& request, const OutputSink& output,
                                 std::optional<SteadyPoint> deadline, const Stop& stop) = 0;
};

}  // namespace stagewright::stage
