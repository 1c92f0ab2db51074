// What the pods of a build tell each other and the operator. Every one of these travels sealed (lib/base/seal.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/oci/digest.h"
#include "lib/plan/plan.h"

namespace stagewright::plan {

/// One step's layer, kind "layer". An empty layer (a RUN without effect) is a tar of two zero blocks and counts.
struct LayerReport {
  int step = 0;
  oci::Digest diffId;
  std::int64_t size = 0;  ///< of the tar
};

/// One packed export.
struct ArtifactReport {
  int index = 0;
  oci::Digest digest;     ///< of the tar
  std::int64_t size = 0;
  /// The paths that the export's pattern matched, sorted; entry m of the list has its tree below `<m>/` in the tar (a
  /// non-directory is the entry `<m>` itself).
  std::vector<std::string> matches;
};

/// Why a container failed, in the words of api.md. Also the body of termination messages.
struct Failure {
  std::string reason;       ///< StageFailed, DockerfileInvalid, PushUnauthorized, …
  std::string message;      ///< complete sentence for people, at most 2 KiB, may have line breaks (caret excerpts)
  std::string instruction;  ///< stage: "RUN npm ci"
  int line = 0;
  int exitCode = 0;         ///< stage: the child's
  std::string logTail;      ///< at most 2 KiB, valid UTF-8, no control characters but \n and \t
};

struct StepTime {
  int step = 0;
  std::int64_t millis = 0;
};

/// report.json of a stage, kind "report".
struct StageReport {
  int stage = 0;
  int attempt = 1;
  bool succeeded = false;
  std::map<int, int> upstream;           ///< stage index -> attempt it was built from
  std::vector<LayerReport> layers;       ///< one per step, in order
  std::vector<ArtifactReport> artifacts;
  std::vector<StepTime> times;
  std::optional<Failure> failure;
};

/// Frames in the log of a pod: JSON with "type" and "seq" (counts from 1 in each container).
/// stage:   {"type":"step","step":0,"of":3,"state":"Started"|"Succeeded"|"Failed","text":…,"millis":…}
/// prepare: {"type":"plan","plan":PlanSummary}, {"type":"failure",…Failure}
/// publish: {"type":"push-check","ok":true}, {"type":"layer","digest":…,"size":…,"how":"mounted"|"exists"|"uploaded"},
///          {"type":"image",…ImageReport}, {"type":"failure",…Failure}
struct ImageReport {
  std::string reference;   ///< repository@digest
  oci::Digest digest;
  std::string mediaType;
  std::int64_t sizeBytes = 0;  ///< config + compressed layers
  int layers = 0;
  std::vector<std::string> tags;
  /// sum of uploaded bytes; base layers that were mounted or existed are not in it
  std::int64_t pushedBytes = 0;
};

Json toJson(const LayerReport& r);
Json toJson(const StageReport& r);
Json toJson(const Failure& f);
Json toJson(const ImageReport& r);
Result<LayerReport> parseLayerReport(std::string_view text);
Result<StageReport> parseStageReport(std::string_view text);   ///< caps: 10 000 layers, 1 000 artifacts, 1 MiB
Result<Failure> parseFailure(const JsonReader& reader);        ///< texts over their caps are cut, not refused
Result<ImageReport> parseImageReport(const JsonReader& reader);

/// A failure as a termination message: sealed (kind "termination"), at most kTerminationLimit bytes: the log tail and then
/// the message are shortened until it fits.
std::string makeTermination(std::string_view key, std::string_view runId, std::string_view role, int attempt, Failure f);

}  // namespace stagewright::plan
