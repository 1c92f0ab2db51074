#!/usr/bin/env bash
# The local Kubernetes (see `cluster.sh help`).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/scripts/lib.sh"
source "$root/cluster/settings.sh"
source "$root/cluster/toolchain.sh"
source "$root/cluster/build.sh"
case ${1:-} in
  build) build_cluster; nice ensure_component helm 2>/dev/null || ensure_component helm ;;
esac
