#include "builder-pod/prepare/build_args.h"

#include "lib/base/file.h"

namespace stagewright::prepare {

namespace {
constexpr std::size_t kMaxValue = 4096;  // as in the CRD
}  // namespace

Outcome<void> loadBuildArgs(const std::string& directory, plan::BuildRequest& request) {
  for (const auto& [name, origin] : request.buildArgFiles) {
    Result<std::string> value = loadFile(directory + "/" + name, kMaxValue);
    if (!value) {
      const std::string what = "spec.buildArgs: " + name + " is " + origin + ", which ";
      return value.error().code == Code::kNotFound
                 ? refuseInput("SourceNotFound", what + "does not exist")
             : value.error().code == Code::kInvalid
                 ? refuseInput("InvalidSpec",
                               what + "is longer than " + std::to_string(kMaxValue) + " bytes")
                 : refuse(plan::Exit::kInternal, "InternalError",
                          what + "cannot be read: " + value.error().message);
    }
    request.buildArgs.emplace_back(name, std::move(*value));
  }
  request.buildArgFiles.clear();
  return {};
}

}  // namespace stagewright::prepare
