#!/usr/bin/env bash
# Builds the fuzzers of tests/fuzz (preset fuzz: clang, address and undefined behaviour sanitizers) and runs each.
#
#   fuzz.sh [--seconds N] [--jobs N] [NAME...]        NAME as fuzz_NAME; default: all of them, 60 s each
#
# A finding is written to build/fuzz/fuzz/ and the exit code is 1; 77: skipped, there is no clang. What was learned stays
# in the corpus folders there.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"

# fuzz_one NAME SECONDS: in the folder of the fuzzers.
fuzz_one() {
  local name=$1 seconds=$2
  mkdir -p "corpus_$name"
  if ! "./fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="found_${name}_" "corpus_$name" >"$name.log" 2>&1; then
    tail -n 40 "$name.log" >&2
    return 1
  fi
  note "$name: $(grep -E 'number_of_executed|new_units' "$name.log" | tr -s ' \n' ' ')"
}

main() {
  local seconds=60 jobs names=() name file running=0 failed=0
  jobs=$(nproc)
  while (( $# )); do
    case $1 in
      --seconds) seconds=${2:?--seconds needs a number}; shift ;;
      --jobs)    jobs=${2:?--jobs needs a number}; shift ;;
      -h|--help) sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; return ;;
      -*)        die "unknown argument: $1" ;;
      *)         names+=("$1") ;;
    esac
    shift
  done
  if (( ${#names[@]} == 0 )); then
    for file in "$root"/tests/fuzz/*.cc; do names+=("$(basename "$file" .cc)"); done
  fi
  "$root/scripts/build.sh" --with-tests --packages-only
  command -v clang++-14 >/dev/null || (apt_install clang-14 libclang-rt-14-dev) ||
    { warn "SKIPPED: the fuzzers need clang-14 and libclang-rt-14-dev"; exit 77; }
  use_ccache "$root"
  cmake -S "$root" --preset fuzz >/dev/null
  cmake --build "$root/build/fuzz" -j "$jobs" --target "${names[@]/#/fuzz_}"
  cd "$root/build/fuzz/fuzz"
  say "Fuzzing for $seconds s each, $jobs at a time: ${names[*]}"
  for name in "${names[@]}"; do
    if (( running >= jobs )); then
      wait -n || failed=1
      running=$((running - 1))
    fi
    fuzz_one "$name" "$seconds" &
    running=$((running + 1))
  done
  for (( ; running > 0; running-- )); do wait -n || failed=1; done
  (( ! failed )) || die "found something: build/fuzz/fuzz/found_*"
}

main "$@"
