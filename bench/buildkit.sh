#!/usr/bin/env bash
# Builds the BuildKit that bench and the conformance oracle compare with, into a folder outside the checkout. Needs go.
# `go install` refuses its module (exclude directives), so a module of our own wraps it.
set -euo pipefail
version=v0.34.2
target=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/stagewright/oracle}
[[ -x $target/buildkitd && -x $target/buildctl ]] && exit 0
mkdir -p "$target/src"
cd "$target/src"
[[ -f go.mod ]] || go mod init oracle
go get "github.com/moby/buildkit/cmd/buildkitd@$version" "github.com/moby/buildkit/cmd/buildctl@$version"
CGO_ENABLED=0 go build -o "$target/" github.com/moby/buildkit/cmd/buildkitd github.com/moby/buildkit/cmd/buildctl
