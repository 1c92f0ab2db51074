// The image configuration (OCI image-spec config.md, plus Docker's Healthcheck, Shell, OnBuild, ArgsEscaped).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/oci/digest.h"
#include "lib/oci/manifest.h"

namespace stagewright::oci {

struct HealthConfig {
  std::vector<std::string> test;  ///< {"NONE"}, {"CMD", …} or {"CMD-SHELL", …}
  std::int64_t interval = 0;      ///< nanoseconds, as in Docker's JSON
  std::int64_t timeout = 0;
  std::int64_t startPeriod = 0;
  std::int64_t startInterval = 0;
  std::int64_t retries = 0;

  bool operator==(const HealthConfig&) const = default;
};

struct HistoryEntry {
  std::string created;    ///< RFC 3339 or empty
  std::string createdBy;
  std::string author;
  std::string comment;
  bool emptyLayer = false;

  bool operator==(const HistoryEntry&) const = default;
};

/// Absent, null and empty lists differ where Docker makes a difference: Cmd and Entrypoint are optional.
struct ImageConfig {
  std::string created;
  std::string author;
  Platform platform;
  std::string osVersion;

  std::vector<std::string> env;  ///< "K=V", order kept, keys unique
  std::optional<std::vector<std::string>> cmd;
  std::optional<std::vector<std::string>> entrypoint;
  std::string user;
  std::string workingDir;
  std::set<std::string> exposedPorts;  ///< "80/tcp"
  std::set<std::string> volumes;
  std::map<std::string, std::string> labels;
  std::string stopSignal;
  std::optional<HealthConfig> healthcheck;
  std::vector<std::string> shell;
  std::vector<std::string> onBuild;
  bool argsEscaped = false;

  std::vector<Digest> diffIds;
  std::vector<HistoryEntry> history;

  bool operator==(const ImageConfig&) const = default;
};

/// Unknown fields are ignored, wrong types are kInvalid with their path. At most 8 MiB.
Result<ImageConfig> parseImageConfig(std::string_view bytes);
/// The exact bytes that are pushed; equal configs give equal bytes.
std::string serializeImageConfig(const ImageConfig& config);

}  // namespace stagewright::oci
