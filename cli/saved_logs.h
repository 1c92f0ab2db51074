// Logs that outlived their pods, in the registry (docs/adr/0003).
#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/oci/manifest.h"
#include "lib/oci/reference.h"
#include "lib/registry/client.h"

namespace stagewright::cli {

struct SavedLog {
  std::string stage;  ///< index, or "prepare"
  std::string name;
  int attempt = 1;
  oci::Descriptor blob;
};

/// The manifest of run `runId` in an index of logs. kNotFound if it is not in it, kInvalid if it is
/// no such index.
Result<oci::Digest> findSavedRun(std::string_view index, std::string_view runId);
/// The logs that the manifest of a run names. Layers that are no logs are left out.
Result<std::vector<SavedLog>> parseSavedRun(std::string_view manifest);

Result<std::vector<SavedLog>> fetchSavedRun(registry::Client& client,
                                            const oci::Repository& repository,
                                            const std::string& tag, std::string_view runId,
                                            std::stop_token stop);
/// The text of one log.
Result<std::string> fetchSavedLog(registry::Client& client, const oci::Repository& repository,
                                  const SavedLog& log, std::stop_token stop);

}  // namespace stagewright::cli
