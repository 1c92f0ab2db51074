# shellcheck shell=bash
# Builds the cluster's programs from pinned Go modules into the cache, outside the checkout.
#
# Each component has a directory builds/NAME-VERSION-HASH, where HASH covers everything that goes
# into it; it appears by a rename when complete, so whatever exists is whole. bin/ has links to the
# ones in use. Two checkouts with different pins share the cache; the one that ran last has the links.

SW_K8S_PROGRAMS=(etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl)
SW_BUILD_PACKAGES=(gcc libc6-dev libseccomp-dev pkg-config ca-certificates)

# --- components: for each a function that fills "$1/bin" -------------------------------------------

build_kubernetes() {
  local out=$1/bin v=v$SW_KUBERNETES_VERSION minor name package flags="-s -w"
  minor=$(cut -d. -f2 <<<"$SW_KUBERNETES_VERSION")
  # Without these the version reads v0.0.0-master and clients refuse the skew.
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=$v -X $package.gitMajor=1 -X $package.gitMinor=$minor"
    flags+=" -X $package.gitTreeState=clean -X $package.gitCommit=stagewright"
  done
  (cd "$SW_CLUSTER_DIR/hyperkube" && CGO_ENABLED=0 go build -p "$(nproc)" -ldflags "$flags" -o "$out/hyperkube" .)
  for name in "${SW_K8S_PROGRAMS[@]}"; do ln -s hyperkube "$out/$name"; done
}

build_coredns() {
  (cd "$SW_CLUSTER_DIR/coredns" && CGO_ENABLED=0 go build -ldflags "-s -w" -o "$1/bin/coredns" .)
}

build_containerd() {
  local module=github.com/containerd/containerd/v2 v=v$SW_CONTAINERD_VERSION flags program
  flags="-s -w -X $module/version.Version=$v -X $module/version.Revision=stagewright"
  for program in containerd containerd-shim-runc-v2 ctr; do
    CGO_ENABLED=0 GOBIN=$1/bin go install -tags "no_btrfs no_zfs no_devmapper no_aufs" -ldflags "$flags" "$module/cmd/$program@$v"
  done
}

# runc needs cgo: its nsenter part is C that must run before the Go runtime starts threads.
build_runc() {
  CGO_ENABLED=1 GOBIN=$1/bin go install -tags "seccomp urfave_cli_no_docs" \
    -ldflags "-s -w -X main.version=$SW_RUNC_VERSION" "github.com/opencontainers/runc@v$SW_RUNC_VERSION"
}

build_helm() {
  CGO_ENABLED=0 GOBIN=$1/bin go install -ldflags "-s -w -X helm.sh/helm/v3/internal/version.version=v$SW_HELM_VERSION" \
    "helm.sh/helm/v3/cmd/helm@v$SW_HELM_VERSION"
}

# --- the cache ------------------------------------------------------------------------------------

# build_dir NAME VERSION [INPUT_FILE...]: where this component belongs. The hash covers the text of its
# build function, so that a changed flag rebuilds, and the files it compiles.
build_dir() {
  local name=$1 version=$2 hash; shift 2
  hash=$({ declare -f "build_$name"; (( $# == 0 )) || cat "$@"; uname -m; } | sha256sum | cut -c1-12)
  printf '%s/%s-%s-%s' "$SW_BUILDS" "$name" "$version" "$hash"
}

kubernetes_dir() { build_dir kubernetes "$SW_KUBERNETES_VERSION" "$SW_CLUSTER_DIR"/hyperkube/{main.go,go.mod,go.sum}; }
coredns_dir()    { build_dir coredns "$SW_COREDNS_VERSION" "$SW_CLUSTER_DIR"/coredns/{main.go,go.mod,go.sum}; }
containerd_dir() { build_dir containerd "$SW_CONTAINERD_VERSION"; }
runc_dir()       { build_dir runc "$SW_RUNC_VERSION"; }
helm_dir()       { build_dir helm "$SW_HELM_VERSION"; }

# ensure_component NAME: builds it if the cache lacks it, and links its programs into bin/.
ensure_component() {
  local name=$1 dir program
  dir=$("$1_dir")
  mkdir -p "$SW_BUILDS" "$SW_BIN"
  if [[ ! -d $dir ]]; then
    # One builder per component: a second one waits and finds it done.
    (
      flock 8
      [[ -d $dir ]] || build_component "$name" "$dir"
    ) 8>"$SW_BUILDS/.$name.lock"
  fi
  for program in "$dir"/bin/*; do
    # A link that is right already stays: another command may be running through it.
    [[ $(readlink "$SW_BIN/${program##*/}" 2>/dev/null) == "$program" ]] || ln -sfn "$program" "$SW_BIN/${program##*/}"
  done
}

# build_component NAME DIR: complete or not at all.
build_component() {
  local name=$1 dir=$2
  use_go
  say "Building $(basename "$dir" | sed 's/-[0-9a-f]*$//') with $(go env GOVERSION)"
  rm -rf "$dir.new"
  mkdir -p "$dir.new/bin"
  timed "$name" "build_$name" "$dir.new" 2> >(grep -v '^go: downloading' >&2)
  mv "$dir.new" "$dir"
}

# The programs the cluster runs, biggest first. Kept in the foreground, one after the other: each
# build uses every core by itself.
build_cluster() {
  local name
  for name in kubernetes containerd runc coredns; do ensure_component "$name"; done
}
