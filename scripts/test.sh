#!/usr/bin/env bash
# Runs every test: unit and golden tests, the end-to-end cases on the local Kubernetes, and the fault cases on control
# planes of their own.
#
#   test.sh [--fast] [--preset NAME] [CTEST ARGUMENT...]
#
#   --fast          leave out what needs the cluster or its programs
#   --faults        the fault cases too (about 25 minutes)
#   --preset NAME   build the unit tests with this preset; default: dev. With asan and tsan, whatever starts our programs
#                   starts those of the release preset, as the cases on the cluster always do.
#
# Installs the packages that are missing, builds the tests, and ends with ctest's own summary. The end-to-end cases run
# on the cluster that scripts/cluster.sh starts, with the operator that scripts/quickstart.sh installs; with
# STAGEWRIGHT_E2E_CLUSTER=current they run on the one that KUBECONFIG names, as it is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"

usage() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

# Debian's docker-registry package would start a service on port 5000; the tests need the program only. The cluster's
# scripts keep it in the cache.
add_registry_to_path() {
  local binary
  binary=$(
    # shellcheck source=/dev/null
    source "$root/cluster/settings.sh"
    # shellcheck source=/dev/null
    source "$root/cluster/registries.sh"
    registry_binary
  ) || { warn "no docker-registry: the tests that need it will skip"; return 0; }
  PATH=${binary%/*}:$PATH
}

# Debian's prometheus package would start a service, too. Only promtool is wanted, for the tests of the alerts.
add_promtool_to_path() {
  command -v promtool >/dev/null && return 0
  local dir
  dir=$(
    # shellcheck source=/dev/null
    source "$root/cluster/settings.sh"
    # shellcheck source=/dev/null
    source "$root/cluster/registries.sh"
    unpacked_package prometheus
  ) || { warn "no promtool: the alerts will not be tested"; return 0; }
  PATH=$PATH:$dir/usr/bin
}

# start_cluster: a cluster with two nodes and the operator of this checkout.
start_cluster() {
  if [[ ${STAGEWRIGHT_E2E_CLUSTER:-} == current ]]; then return 0; fi
  "$root/scripts/cluster.sh" up --nodes 2
  eval "$("$root/scripts/cluster.sh" env)"
  STAGEWRIGHT_REGISTRY_PASSWORD=$(<"$STAGEWRIGHT_REGISTRY_PASSWORD_FILE")
  export STAGEWRIGHT_REGISTRY_PASSWORD
  "$root/scripts/quickstart.sh" --install-only
}

main() {
  local preset=dev fast=0 faults=0 arguments=()
  while (( $# )); do
    case $1 in
      --fast)    fast=1 ;;
      --faults)  faults=1 ;;
      --preset)  preset=${2:?--preset needs a name}; shift ;;
      -h|--help) usage; return ;;
      *)         arguments+=("$1") ;;
    esac
    shift
  done
  case $preset in
    asan|tsan)
      say "Building the programs"
      "$root/scripts/build.sh" ;;
  esac
  say "Building the tests ($preset)"
  "$root/scripts/build.sh" --with-tests --preset "$preset"
  add_registry_to_path
  add_promtool_to_path
  if (( fast )); then
    arguments+=(-LE 'e2e|faults')
  else
    (( faults )) || arguments+=(-LE faults)
    say "Starting the cluster for the end-to-end cases"
    start_cluster
  fi
  say "Testing"
  # Several at once, because the end-to-end cases mostly wait. A second try for one that fails: they share a noisy machine
  # with a whole cluster; what fails twice fails. A race may not show twice, so none under ThreadSanitizer, which does not
  # bear all randomness of addresses that a kernel may be set to either.
  local ctest=(ctest --test-dir "$root/build/$preset" --output-on-failure --timeout 3600 --parallel 3)
  if [[ $preset == tsan ]]; then
    ctest=(setarch "$(uname -m)" --addr-no-randomize "${ctest[@]}")
  else
    ctest+=(--repeat until-pass:2)
  fi
  # Nothing may follow: whoever started us reads ctest's closing lines.
  exec "${ctest[@]}" "${arguments[@]}"
}

main "$@"
