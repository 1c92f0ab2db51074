#!/usr/bin/env bash
# The local engine beside BuildKit and buildah on the same inputs in the same run, as ratios of wall time.
#
#   bench/run.sh [--runs N] [ROW…]     rows W0 W1 W2 W3 W4 W5 W6 W7 (default: all); a markdown table on standard output
#
# Environment:
#   RUNS=5            as --runs: the median counts
#   STAGEWRIGHT       the program to measure (default: stagewright)
#   BUILDKIT          a folder with buildkitd and buildctl; made by bench/buildkit.sh where it is missing
#   BUILDAH=none      leaves out buildah, which is measured where it is installed
#   BUILDAH_RUNS      takes it into the first so many rounds only: it needs a minute for some rows
#   KANIKO            kaniko's executor, if it is to be measured
#   RUNC              the container runtime of the others (default: runc, also where cluster.sh keeps it); ours: crun, else runc
#   REGISTRY          where busybox and golang come from (default 127.0.0.1:5001, `scripts/cluster.sh up` fills it)
#   REGISTRY_BINARY   the registry that is measured against (default: docker-registry, also where cluster.sh keeps it)
#   RESULTS           a file for every single run as JSON lines (default: none)
#   BENCH_DIR         on the disk to measure (default: /var/tmp)
#   SEED=1 FILES=20000 (W2, W5) BYTES=1073741824 (W3) STAGES=10 (W4) BASE_FILES=50000 (W6)
#
# As root. Each builder has a control group and an empty store of its own; all of them push to a fresh registry in a
# network namespace of its own. Every row is built once by each before it is measured, so that base images are there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/stagewright
: "${RUNS:=5}" "${REGISTRY:=127.0.0.1:5001}" "${STAGEWRIGHT:=stagewright}" "${BUILDKIT:=$cache/oracle}"
: "${BENCH_DIR:=/var/tmp}" "${RESULTS:=/dev/null}"
: "${RUNC:=$(command -v runc || echo "$cache/bin/runc")}"
: "${REGISTRY_BINARY:=$(command -v docker-registry || echo "$cache/builds/docker-registry/usr/bin/docker-registry")}"
export RUNS REGISTRY STAGEWRIGHT RUNC BUILDKIT BENCH_DIR RESULTS REGISTRY_BINARY
while [[ ${1:-} == -* ]]; do
  case $1 in
    --runs) RUNS=${2:?--runs needs a number}; shift ;;
    *)      sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; [[ $1 == -h || $1 == --help ]]; exit ;;
  esac
  shift
done
if (( EUID != 0 )); then echo "bench: needs root" >&2; exit 1; fi
"$here/buildkit.sh" "$BUILDKIT"
exec python3 "$here/bench.py" "$@"
