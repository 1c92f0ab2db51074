// Everything a stage needs to know beside the plan: where things are, who it is, how long it may
// take. In a pod these are the paths of lib/plan/contract.h; the local engine passes its own.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "builder-pod/stage/held_secrets.h"
#include "lib/base/error.h"
#include "lib/base/seal.h"

namespace stagewright::stage {

/// An attempt of another stage whose sealed files may be believed.
struct Upstream {
  int attempt = 1;
  std::string key;  ///< raw
};

struct StageOptions {
  int stage = 0;
  std::string runId;
  int attempt = 1;
  std::string key;  ///< raw; seals everything this stage says
  std::map<int, Upstream> upstream;
  std::optional<Millis> timeout;  ///< of the stage; waiting for other stages does not count
  bool networkNone = false;       ///< every RUN as if it said --network=none

  std::string root = "/";                 ///< the file system that the steps change
  std::string out = "/.stagewright/out";  ///< this stage's directory
  std::string context = "/.stagewright/context";
  std::string fetched = "/.stagewright/fetched";
  std::string from =
      "/.stagewright/from";  ///< <from>/<index>: the directory of another stage's attempt
  std::string caches = "/.stagewright/cache";  ///< cache mounts found here outlive the stage
  std::string stash =
      "/.stagewright/stash";  ///< on the same file system as `root`: what mounts hide meanwhile
  std::map<std::string, std::string> namedContexts;
  HeldSecrets secrets;
  /// In memory. What a mount shows of `secrets` lies here during its step and at no other time.
  std::string secretsDir = "/.stagewright/secrets";
  std::set<std::string> excluded = {".stagewright"};  ///< below `root`, not part of the image

  SealScope scope() const { return {runId, std::to_string(stage), attempt}; }
};

}  // namespace stagewright::stage
