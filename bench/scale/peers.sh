#!/usr/bin/env bash
# peers.sh tekton|shipwright: builds a controller that bench/scale/run.py --peers compares with, into the cache, and prints
# where: the folder holds bin/ and, as config/, the YAML that the module ships beside its code. Needs Go, as
# scripts/cluster.sh build does.
#
# The version is that of NAME/go.mod. It pins the whole graph, and a build needs no look-up of versions, which
# `go install PACKAGE@VERSION` does and which the module proxy may refuse.
set -Eeuo pipefail

SW_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/lib.sh
source "$SW_ROOT/scripts/lib.sh"
for part in settings toolchain build; do
  # shellcheck source=/dev/null
  source "$SW_ROOT/cluster/$part.sh"
done
wrappers=$SW_ROOT/bench/scale

build_tekton()     { build_module "$1" tekton github.com/tektoncd/pipeline cmd/controller config; }
build_shipwright() { build_module "$1" shipwright github.com/shipwright-io/build cmd/shipwright-build-controller deploy; }

# build_module TARGET NAME MODULE PACKAGE YAML. At low priority: it takes minutes on two cores, and a machine that measures
# may build something else too.
build_module() {
  local source
  cd "$wrappers/$2"
  CGO_ENABLED=0 nice -n 10 go build -ldflags "-s -w" -o "$1/bin/$2-controller" "$3/$4"
  source=$(go list -m -f '{{.Dir}}' "$3")
  cp -r "$source/$5" "$1/config"
  chmod -R u+w "$1/config"
}

tekton_dir()     { module_dir tekton github.com/tektoncd/pipeline; }
shipwright_dir() { module_dir shipwright github.com/shipwright-io/build; }

# module_dir NAME MODULE
module_dir() {
  local version
  version=$(sed -n "s#^\(require \|\t\)$2 v\([0-9.]*\).*#\2#p" "$wrappers/$1/go.mod")
  build_dir "$1" "$version" "$wrappers/$1"/go.{mod,sum} "$wrappers/peers.sh"
}

case ${1:-} in
  tekton | shipwright) ;;
  *) die "peers.sh tekton|shipwright" ;;
esac
ensure_component "$1"
"$1_dir"
