#include "builder-pod/tools/install_executor.h"

#include <filesystem>
#include <system_error>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/plan/contract.h"

namespace stagewright::tools {

namespace {
constexpr std::size_t kMaxExecutorSize = 64U << 20;
constexpr unsigned kProgramMode = 0755;
}  // namespace

Status installExecutor(const std::string& executor, const std::string& directory) {
  TRY(const std::string program, loadFile(executor, kMaxExecutorSize));
  return saveFileAtomically(directory + "/" + std::string(plan::kExecutor), program, kProgramMode);
}

int runInstallExecutorMain(const std::string& directory) {
  log::setComponent("install-executor");
  std::error_code failure;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) {
    log::error("cannot find this program", {{"cause", failure.message()}});
    return static_cast<int>(plan::Exit::kInternal);
  }
  const std::string executor = self.parent_path() / plan::kExecutor;
  if (const Status done = installExecutor(executor, directory); !done) {
    log::error("cannot install the executor",
               {{"from", executor}, {"to", directory}, {"cause", done.error().message}});
    return static_cast<int>(plan::Exit::kInternal);
  }
  return 0;
}

}  // namespace stagewright::tools
