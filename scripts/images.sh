#!/usr/bin/env bash
# Makes the project's images without Docker, by `stagewright image`: the programs, their shared libraries, CA certificates,
# and git for the builder. Equal inputs give equal digests.
#
#   images.sh --registry REF [--pull-as REF] [OPTION...]    push REF/operator, REF/builder and REF/empty
#   images.sh --rootfs DIR [--bin DIR]                       only lay out DIR/operator, DIR/builder and DIR/empty
#
#   --registry REF         where to push, such as registry.example/stagewright
#   --pull-as REF          the same place as the cluster's nodes name it; default: as --registry
#   --tag TAG              default: the project's version
#   --plain-http           the registry speaks HTTP
#   --docker-config FILE   credentials, as in ~/.docker/config.json
#   --bin DIR              the programs; default: build/release/bin
#
# Prints a line `NAME REFERENCE` for each image, the reference with its digest. The Dockerfile at the root lays out its
# images with this script too.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"

names=(operator builder empty)

usage() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

# What glibc's lookups of users and hosts read.
make_system_files() {
  local etc=$scratch/etc
  mkdir -p "$etc"
  printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n' >"$etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$etc/nsswitch.conf"
}

# contents_of NAME: sets `contents`, the options of `stagewright image` that say what the image holds.
contents_of() {
  local core
  local -a system=(--add "$scratch/etc:/etc" --directory /tmp:1777 --ca-certificates)
  case $1 in
    operator)
      contents=(--binary "$bin/stagewright-operator:/stagewright-operator" "${system[@]}") ;;
    builder)
      core=$(git --exec-path)
      contents=(--binary "$bin/stagewright-builder:/stagewright-builder" --binary "$bin/stagewright-stage:/stagewright-stage"
        --binary "$(command -v git):/usr/bin/git"
        --binary "$core/git-remote-http:$core/git-remote-http" --add "$scratch/git-remote-https:$core/git-remote-https"
        "${system[@]}") ;;
    empty) contents=() ;;
  esac
}

config_of() {
  case $1 in
    operator) config=(--user 65532:65532 --entrypoint '["/stagewright-operator"]') ;;
    builder)  config=(--env PATH=/usr/bin --entrypoint '["/stagewright-builder"]') ;;
    empty)    config=() ;;
  esac
}

push_image() {
  local name=$1 reference contents config
  contents_of "$name"
  config_of "$name"
  reference=$("$bin/stagewright" image push "${contents[@]}" "${config[@]}" "${access[@]}" "$registry/$name:$tag")
  printf '%s %s\n' "$name" "$pull_as/$name@${reference##*@}"
}

# The Dockerfile's way: the same content, unpacked.
lay_out_image() {
  local name=$1 directory=$2/$1 contents layer
  contents_of "$name"
  "$bin/stagewright" image pack "${contents[@]}" -o "$scratch/$name.tar" >/dev/null
  mkdir -p "$scratch/$name" "$directory"
  tar -xf "$scratch/$name.tar" -C "$scratch/$name"
  for layer in "$scratch/$name"/blobs/sha256/*; do
    # The layers are those blobs that are archives.
    if gzip -t "$layer" 2>/dev/null; then tar -xzpf "$layer" -C "$directory"; fi
  done
}

check_programs() {
  local program
  for program in stagewright stagewright-operator stagewright-builder stagewright-stage; do
    [[ -x $bin/$program ]] || die "there is no $bin/$program: run scripts/build.sh first"
  done
  if [[ ! -e /etc/ssl/certs/ca-certificates.crt ]] || ! command -v git >/dev/null; then apt_install ca-certificates git; fi
}

main() {
  local registry='' pull_as='' rootfs='' tag bin=$root/build/release/bin access=() name scratch
  tag=$(sed -nE 's/^project\(.* VERSION ([0-9.]+).*/\1/p' "$root/CMakeLists.txt")
  while (( $# )); do
    case $1 in
      --registry)      registry=${2:?--registry needs a repository prefix}; shift ;;
      --pull-as)       pull_as=${2:?--pull-as needs a repository prefix}; shift ;;
      --rootfs)        rootfs=${2:?--rootfs needs a directory}; shift ;;
      --tag)           tag=${2:?--tag needs a tag}; shift ;;
      --bin)           bin=${2:?--bin needs a directory}; shift ;;
      --plain-http)    access+=(--plain-http) ;;
      --docker-config) access+=(--creds-file "${2:?--docker-config needs a file}"); shift ;;
      -h|--help)       usage; return ;;
      *)               usage >&2; die "unknown argument: $1" ;;
    esac
    shift
  done
  [[ -n $registry$rootfs ]] || { usage >&2; die "either --registry or --rootfs is needed"; }
  pull_as=${pull_as:-$registry}
  check_programs
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064 # the name as it is now
  trap "rm -rf '$scratch'" EXIT
  make_system_files
  ln -s git-remote-http "$scratch/git-remote-https"
  for name in "${names[@]}"; do
    if [[ -n $rootfs ]]; then lay_out_image "$name" "$rootfs"; else push_image "$name"; fi
  done
}

main "$@"
