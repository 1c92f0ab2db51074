# shellcheck shell=bash
# Shared helpers of the project's scripts: messages, timing, packages. Source it, do not run it:
#
#   source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
#
# Everything a person reads goes to stderr, so that the stdout of a script stays usable by `eval`
# and pipes. Functions keep no state but SW_*; they work under `set -euo pipefail`.

if [[ -n ${SW_LIB_LOADED:-} ]]; then return 0; fi
SW_LIB_LOADED=1

if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
  SW_BOLD=$'\e[1m' SW_DIM=$'\e[2m' SW_RED=$'\e[31m' SW_GREEN=$'\e[32m' SW_YELLOW=$'\e[33m' SW_OFF=$'\e[0m'
else
  SW_BOLD='' SW_DIM='' SW_RED='' SW_GREEN='' SW_YELLOW='' SW_OFF=''
fi

# --- messages -----------------------------------------------------------------------------------

say()   { printf '%s==>%s %s\n' "$SW_BOLD" "$SW_OFF" "$*" >&2; }                 # a new part begins
note()  { printf '    %s%s%s\n' "$SW_DIM" "$*" "$SW_OFF" >&2; }                   # detail below it
warn()  { printf '%swarning:%s %s\n' "$SW_YELLOW" "$SW_OFF" "$*" >&2; }
die()   { printf '%serror:%s %s\n' "$SW_RED" "$SW_OFF" "$*" >&2; exit 1; }

# --- timing -------------------------------------------------------------------------------------

# now_ms: milliseconds since the epoch, without a fork (bash 5 has EPOCHREALTIME; its decimal
# separator follows the locale, hence the pattern).
now_ms() { local t=${EPOCHREALTIME/[.,]/}; printf '%s' "${t%???}"; }

# seconds_since MS: "12.3 s", for messages.
seconds_since() {
  local ms=$(( $(now_ms) - $1 ))
  printf '%d.%d s' $(( ms / 1000 )) $(( ms % 1000 / 100 ))
}

# timed LABEL COMMAND...: runs the command, then says how long it took (or that it failed).
# Not a subshell: the command may be a function that sets variables. It runs with `set -e` in
# force (no `if`, no `||` around it, which would switch it off inside the function), so a failure
# ends the script, as it would without `timed`.
timed() {
  local label=$1 start; shift
  start=$(now_ms)
  "$@"
  done_in "$label" "$start"
}

# done_in LABEL START_MS: the line that `timed` ends with, for a part that is not one command.
done_in() { printf '    %s%s%s %s(%s)%s\n' "$SW_GREEN" "$1" "$SW_OFF" "$SW_DIM" "$(seconds_since "$2")" "$SW_OFF" >&2; }

# --- waiting ------------------------------------------------------------------------------------

# wait_for SECONDS COMMAND...: polls until the command succeeds; 1 when the time is over.
wait_for() {
  local deadline=$(( $(now_ms) + $1 * 1000 )); shift
  until "$@" >/dev/null 2>&1; do
    (( $(now_ms) < deadline )) || return 1
    sleep 0.2
  done
}

# --- files and packages -------------------------------------------------------------------------

# put FILE <content: replaces the file only when the content differs, and never half of it.
# (kube-proxy, for one, exits when its configuration file is rewritten.)
put() {
  local new
  new=$(mktemp "$1.XXXXXX")
  cat >"$new"
  if cmp -s "$new" "$1"; then rm -f "$new"; else chmod "${2:-644}" "$new"; mv -f "$new" "$1"; fi
}

# need_root: most of what the scripts do (packages, namespaces, mounts) cannot be done otherwise.
need_root() { [[ $EUID -eq 0 ]] || die "run this as root (or with sudo): $*"; }

# missing_packages NAME...: prints those that are not installed. One dpkg-query for all of them.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii *//p') || true
  comm -23 <(printf '%s\n' "$@" | sort -u) <(printf '%s\n' "$installed" | sort -u)
}

# apt_install NAME...: installs the packages that are missing; says nothing when none is.
apt_install() {
  local missing start log
  mapfile -t missing < <(missing_packages "$@")
  (( ${#missing[@]} )) || return 0
  command -v apt-get >/dev/null || die "these packages are missing, and there is no apt-get: ${missing[*]}"
  need_root "apt-get install ${missing[*]}"
  start=$(now_ms)
  log=$(mktemp)
  if ! apt_quietly "$log" "${missing[@]}"; then
    # The usual cause is a package list that is absent or old.
    note "refreshing the package lists"
    apt-get -q update >>"$log" 2>&1 || true
    if ! apt_quietly "$log" "${missing[@]}"; then
      tail -n 15 "$log" >&2
      rm -f "$log"
      die "apt-get install failed: ${missing[*]}"
    fi
  fi
  rm -f "$log"
  done_in "installed ${missing[*]}" "$start"
}

apt_quietly() {
  local log=$1; shift
  # Several scripts may want apt at once (quickstart runs its parts side by side): wait for the lock.
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" >>"$log" 2>&1 </dev/null
}

# find_python: a python3 with its whole standard library; any will do.
find_python() { command -v python3 || die "python3 is missing"; }

# use_ccache ROOT: every preset and checkout shares the objects, outside the checkout; paths are made relative to it.
use_ccache() {
  export CCACHE_DIR=${CCACHE_DIR:-${STAGEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/stagewright}/ccache}
  export CCACHE_BASEDIR=$1 CCACHE_NOHASHDIR=1
}
