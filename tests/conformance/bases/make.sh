#!/usr/bin/env bash
# Makes the bases of the complete Dockerfiles and pushes them to the test registry, once:
#
#   conformance-toolchain   Debian 12 with python3, g++ and make (mmdebstrap)
#   conformance-standins    busybox with stand-ins for tools that are not the point: npm, mvn, cargo, java, apk, dotnet
#
#   make.sh STAGEWRIGHT [REGISTRY]        needs root and busybox in the registry
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
stagewright=${1:?the stagewright program}
registry=${2:-127.0.0.1:5001}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

has() { curl -sf -o /dev/null -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$registry/v2/$1/manifests/1"; }

if ! has conformance-standins; then
  "$stagewright" build --local --push -t "$registry/conformance-standins:1" \
    --build-context "busybox=docker-image://$registry/busybox:latest" "$here/standins"
fi
if ! has conformance-toolchain; then
  command -v mmdebstrap >/dev/null || { echo "needs mmdebstrap" >&2; exit 1; }
  mmdebstrap --quiet --variant=minbase --include=python3-minimal,g++,make --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$scratch/toolchain.tar"
  printf 'FROM scratch\nADD toolchain.tar /\nCMD ["bash"]\n' >"$scratch/Dockerfile"
  "$stagewright" build --local --push -t "$registry/conformance-toolchain:1" "$scratch"
fi
