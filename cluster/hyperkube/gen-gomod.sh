#!/usr/bin/env bash
# usage: gen-gomod.sh 1.36.3 >go.mod, then: cp "$(go list -m -f '{{.Dir}}' k8s.io/kubernetes)/go.sum" . && go mod tidy -e
#
# Makes the wrapper module for another Kubernetes version. k8s.io/kubernetes replaces its staging
# modules by folders that its module archive does not contain; here each replacement becomes the
# published module of the same release, and the require blocks are copied so that every dependency
# keeps the version that the release was tested with.
set -euo pipefail
version=$1
staging=v0.${version#1.}
# From /: with an empty go.mod in the current folder the download fails.
dir=$(cd / && go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
echo "module stagewright.dev/cluster/hyperkube"
sed -n '/^go /p;/^godebug /p' "$dir/go.mod"
echo "require k8s.io/kubernetes v$version"
awk '/^require \(/{p=1} p{print} /^\)/{p=0}' "$dir/go.mod" | sed -E "s#^(\tk8s.io/[a-z-]+) v0.0.0( |\$)#\1 $staging\2#"
awk '/^replace \(/{p=1} p{print} /^\)/{p=0}' "$dir/go.mod" | sed -E "s#=> ./staging/src/(k8s.io/[a-z-]+)#=> \1 $staging#"
