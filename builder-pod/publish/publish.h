// `stagewright-builder publish`: the link step. Uploads layers while stages still run, then config,
// manifest and tags.
#pragma once

namespace stagewright::publish {

/// The whole pod: environment in, frames on standard output, termination message on failure;
/// returns a plan::Exit.
int runPublishMain();

}  // namespace stagewright::publish
