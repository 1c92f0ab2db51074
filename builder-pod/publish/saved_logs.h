// Logs that outlive their pods: an OCI artifact in the output's repository (docs/adr/0003).
#pragma once

#include <stop_token>

#include "builder-pod/publish/publication.h"

namespace stagewright::publish {

/// Pushes what prepare and every attempt of every stage have printed so far, and puts the run first
/// into the index under the tag of `job.request.logs`, which keeps the newest runs.
/// REQUIRES: job.request.logs. Errors: kConflict if the tag holds something that is not ours; those
/// of registry::Client; kInternal for a broken volume.
Status pushLogs(const PublishJob& job, http::Transport& transport, Clock& clock,
                std::stop_token stop);

}  // namespace stagewright::publish
