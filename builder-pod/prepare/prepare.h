// `stagewright-builder prepare`: fetches the source and compiles the Dockerfile. Only here do
// source credentials exist.
#pragma once

namespace stagewright::prepare {

/// The whole pod: environment in, the sealed plan frame on standard output, termination message on
/// failure; returns a plan::Exit.
int runPrepareMain();

}  // namespace stagewright::prepare
