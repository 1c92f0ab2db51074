#!/usr/bin/env bash
# Builds the C++ programs: installs the packages that are missing, configures, compiles.
#
#   build.sh [--preset NAME] [--with-tests] [--no-install | --packages-only] [TARGET...]
#
#   --preset NAME   of CMakePresets.json; default: release. The programs come to build/NAME/bin
#   --with-tests    the test programs too (default targets: only the four programs)
#   --no-install    fail if a package is missing instead of installing it
#   --packages-only install packages, build nothing
#
# Objects are kept by ccache in CACHE/ccache, outside the checkout; CACHE is
# ${STAGEWRIGHT_CACHE:-${XDG_CACHE_HOME:-~/.cache}/stagewright}.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"

programs=(stagewright-operator stagewright-builder stagewright-stage stagewright)

# Debian 12's names. The second list is for tests: gtest, and the programs that tests start.
build_packages=(g++ cmake ninja-build ccache git ca-certificates
  libssl-dev libexpected-dev nlohmann-json3-dev libcpprest-dev libboost1.74-dev libboost-system1.74-dev
  libcurl4-openssl-dev libarchive-dev libisal-dev libzstd-dev zlib1g-dev libbz2-dev liblzma-dev
  libyaml-cpp-dev prometheus-cpp-dev libcli11-dev)
test_packages=(libgtest-dev libgmock-dev python3 apache2-utils lua5.4)

usage() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

check_packages() {
  local missing
  missing=$(missing_packages "$@" | tr '\n' ' ')
  [[ -z $missing ]] || die "missing packages: $missing"
}

configure() {
  local preset=$1 log=$root/build/$1/configure.log
  mkdir -p "${log%/*}"
  if ! cmake -S "$root" --preset "$preset" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    die "configuring the preset $preset failed"
  fi
}

# compile PRESET TARGET...: a person sees the count go up; a log gets one line in case of success and all of it otherwise.
compile() {
  local preset=$1 log=$root/build/$1/build.log; shift
  if [[ -t 2 ]]; then
    cmake --build "$root/build/$preset" -- "$@" >&2 || die "the build failed"
  elif ! cmake --build "$root/build/$preset" -- "$@" >"$log" 2>&1; then
    grep -E 'error|FAILED|ninja:' "$log" | head -n 40 >&2 || tail -n 40 "$log" >&2
    die "the build failed: $log"
  fi
}

main() {
  local preset=release tests=0 install=1 only=0 packages=("${build_packages[@]}") wanted=()
  while (( $# )); do
    case $1 in
      --preset)     preset=${2:?--preset needs a name}; shift ;;
      --with-tests) tests=1 ;;
      --no-install) install=0 ;;
      --packages-only) only=1 ;;
      -h|--help)    usage; return ;;
      -*)           usage >&2; die "unknown option: $1" ;;
      *)            wanted+=("$1") ;;
    esac
    shift
  done
  use_ccache "$root"
  (( ! tests )) || packages+=("${test_packages[@]}")
  if (( install )); then apt_install "${packages[@]}"; else check_packages "${packages[@]}"; fi
  (( ! only )) || return 0
  timed "configured ($preset)" configure "$preset"
  if (( ${#wanted[@]} == 0 )); then
    if (( tests )); then wanted=(all); else wanted=("${programs[@]}"); fi
  fi
  timed "compiled $preset: ${wanted[*]}" compile "$preset" "${wanted[@]}"
}

main "$@"
