#!/usr/bin/env bash
# Builds the controllers that bench/scale/run.py --peers compares with, into the cache, and prints where: the folder holds
# bin/ and the YAML that the module ships beside its code. Needs Go, as scripts/cluster.sh build does.
#
# The version is that of tekton/go.mod. It pins the whole graph, and a build needs no look-up of versions, which
# `go install PACKAGE@VERSION` does and which the module proxy may refuse.
set -Eeuo pipefail

SW_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/lib.sh
source "$SW_ROOT/scripts/lib.sh"
for part in settings toolchain build; do
  # shellcheck source=/dev/null
  source "$SW_ROOT/cluster/$part.sh"
done

tekton_module=github.com/tektoncd/pipeline
tekton_wrapper=$SW_ROOT/bench/scale/tekton
tekton_version=$(sed -n "s#^\t$tekton_module v\([0-9.]*\).*#\1#p" "$tekton_wrapper/go.mod")

# At low priority: it takes minutes on two cores, and a machine that measures may build something else too.
build_tekton() {
  local source
  cd "$tekton_wrapper"
  CGO_ENABLED=0 nice -n 10 go build -ldflags "-s -w" -o "$1/bin/tekton-controller" "$tekton_module/cmd/controller"
  source=$(go list -m -f '{{.Dir}}' "$tekton_module")
  cp -r "$source/config" "$1/config"
  chmod -R u+w "$1/config"
}
tekton_dir() { build_dir tekton "$tekton_version" "$tekton_wrapper"/go.{mod,sum}; }

ensure_component tekton
tekton_dir
