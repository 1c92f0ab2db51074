#!/usr/bin/env bash
# The local engine beside BuildKit (and buildah, where it is installed) on the same inputs, as ratios of wall time.
#
#   bench/run.sh [ROW…]        rows W0 W1 W2 W3 W4 W5 W6 W7 (default: all); a markdown table on standard output
#
# Environment: RUNS=5 (the median counts), SEED, FILES=20000 (W2, W5), BYTES=1073741824 (W3), STAGES=10 (W4),
# BASE_FILES=50000 (W6); STAGEWRIGHT, BUILDKIT (a folder with buildkitd and buildctl; `bench/buildkit.sh` makes one), RUNC,
# REGISTRY (default 127.0.0.1:5001, with busybox and golang). As root. Every builder starts with an empty store and
# builds each row once before it is measured, so that base images are there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${RUNS:=5}" "${SEED:=1}" "${FILES:=20000}" "${BYTES:=1073741824}" "${STAGES:=10}" "${BASE_FILES:=50000}"
: "${REGISTRY:=127.0.0.1:5001}" "${STAGEWRIGHT:=stagewright}" "${RUNC:=runc}"
: "${BUILDKIT:=${XDG_CACHE_HOME:-$HOME/.cache}/stagewright/oracle}"
export RUNS SEED FILES BYTES STAGES BASE_FILES REGISTRY STAGEWRIGHT RUNC BUILDKIT
exec python3 "$here/bench.py" "$@"
