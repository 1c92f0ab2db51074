#!/usr/bin/env bash
# A real Kubernetes on this machine, for the quickstart and the end-to-end tests.
#
#   cluster.sh up [--nodes N]     build what is missing, start what does not run (default: 1 node, or as many as run)
#   cluster.sh down [--wipe]      stop everything; --wipe also forgets the cluster's data
#   cluster.sh status             a table; exit code 0 if all of it is healthy
#   cluster.sh env                lines for: eval "$(scripts/cluster.sh env)"
#   cluster.sh build              only build: the cluster's programs, then helm
#   cluster.sh helm               only helm
#   cluster.sh images             make and push the base images (`up` does this too, at its end)
#   cluster.sh exec WHERE CMD...  run a command in the namespaces of WHERE: cp, node1, node2
#   --state DIR                   the cluster's data; default: of the running cluster, else CACHE/state
#
# CACHE is ${STAGEWRIGHT_CACHE:-${XDG_CACHE_HOME:-~/.cache}/stagewright}: nothing is written in the checkout.
# cluster/README.md tells how the cluster is made.
set -Eeuo pipefail

SW_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
source "$SW_ROOT/scripts/lib.sh"
for part in settings toolchain build process certs registries control_plane node images status; do
  # shellcheck source=/dev/null
  source "$SW_ROOT/cluster/$part.sh"
done

# A command that fails where no message was foreseen must not end the script in silence.
trap 'warn "failed: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND"' ERR

SW_RUNTIME_PACKAGES=(iptables iproute2 util-linux conntrack socat containernetworking-plugins procps openssl curl ca-certificates perl-base python3)

usage() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

main() {
  local command=${1:-help} wipe=0 nodes='' state=''
  (( $# == 0 )) || shift
  if [[ $command == exec ]]; then choose_state ''; cluster_exec "$@"; return; fi
  while (( $# )); do
    case $1 in
      --wipe)    wipe=1 ;;
      --nodes)   nodes=${2:?--nodes needs a number}; shift ;;
      --nodes=*) nodes=${1#*=} ;;
      --state)   state=${2:?--state needs a directory}; shift ;;
      --state=*) state=${1#*=} ;;
      *) usage >&2; die "unknown argument: $1" ;;
    esac
    shift
  done
  [[ -z $nodes || ( $nodes =~ ^[0-9]$ && $nodes -ge 1 && $nodes -le $SW_MAX_NODES ) ]] || die "--nodes must be 1 to $SW_MAX_NODES"
  choose_state "$state"
  case $command in
    up)     need_root "$0 up"; lock_cluster; cluster_up "$nodes" ;;
    down)   need_root "$0 down"; lock_cluster; cluster_down "$wipe" ;;
    status) need_root "$0 status"; cluster_status || exit 1 ;;
    env)    cluster_env ;;
    build)  need_packages; build_cluster; ensure_component helm ;;
    helm)   need_packages; ensure_component helm ;;
    images) need_root "$0 images"; need_packages; lock_cluster; cluster_images ;;
    help|--help|-h) usage ;;
    *) usage >&2; die "unknown command: $command" ;;
  esac
}

# The run directory remembers whose cluster runs, so that `down` and `env` need no --state.
choose_state() {
  local running='' wanted=$1
  [[ ! -s $SW_RUN/state ]] || running=$(<"$SW_RUN/state")
  [[ -z $wanted ]] || wanted=$(realpath -m "$wanted")
  if [[ -n $running && -n $wanted && $running != "$wanted" ]]; then
    die "a cluster with its data in $running is running; stop it first: $0 down"
  fi
  SW_STATE=${running:-${wanted:-${STAGEWRIGHT_CLUSTER_STATE:-$SW_CACHE/state}}}
  export KUBECONFIG=$SW_STATE/kubeconfig PATH=$SW_BIN:$PATH:/usr/sbin:/sbin
}

# One command that changes the cluster at a time; others wait.
lock_cluster() {
  mkdir -p "$SW_CACHE"
  exec 9>"$SW_CACHE/cluster.lock"
  flock -n 9 || { note "waiting for another cluster.sh"; flock 9; }
}

need_packages() { apt_install "${SW_RUNTIME_PACKAGES[@]}" "${SW_BUILD_PACKAGES[@]}" "${SW_IMAGE_PACKAGES[@]}"; }

# --- up --------------------------------------------------------------------------------------------

cluster_up() {
  local start nodes=$1 layers_pid n
  start=$(now_ms)
  say "Starting the local cluster (data in $SW_STATE)"
  need_packages
  # Making the layers is mostly unpacking on one core: it goes on beside the Go builds.
  make_layers_beside
  layers_pid=$!
  build_cluster

  mkdir -p "$SW_STATE/logs" "$SW_STATE/registry"
  echo "state of the local cluster of Stagewright" >"$SW_STATE/.stagewright-cluster"
  prepare_run_dir
  printf '%s\n' "$SW_STATE" >"$SW_RUN/state"
  timed "certificates" make_certificates
  ln -sfn pki/admin.kubeconfig "$SW_STATE/kubeconfig"
  timed "registries and control plane" start_servers
  timed "sandbox image" push_images pause
  [[ -n $nodes ]] || { nodes=$(nodes_here | tail -n 1); nodes=${nodes:-1}; }
  timed "$nodes node(s)" start_nodes "$nodes"

  if ! wait "$layers_pid"; then
    cat "$SW_CACHE/images.log" >&2
    die "making the base images failed (the cluster runs; try again: $0 images)"
  fi
  timed "base images" push_images "${SW_IMAGES[@]}"
  done_in "the cluster is up" "$start"
  cluster_status >&2
  note "next: eval \"\$($0 env)\" && kubectl get nodes"
}

make_layers_beside() {
  mkdir -p "$SW_CACHE"
  (exec 9>&-; make_layers) >"$SW_CACHE/images.log" 2>&1 &
}

start_servers() {
  make_cp_netns
  start_registries
  start_control_plane
  kubectl apply --server-side --field-manager=stagewright-cluster -f "$SW_CLUSTER_DIR/cluster.yaml" >/dev/null
}

# start_nodes N: nodes 1 to N; those above N are taken away.
start_nodes() {
  local n
  for n in $(nodes_here); do
    (( n <= $1 )) || { note "removing node$n"; stop_node "$n"; }
  done
  for ((n = 1; n <= $1; n++)); do start_node "$n"; done
  for ((n = 1; n <= $1; n++)); do wait_for_node "$n"; done
  for ((n = $1 + 1; n <= SW_MAX_NODES; n++)); do kubectl delete node "node$n" --ignore-not-found >/dev/null; done
  wait_for 30 dns_ready || { show_log coredns; die "cluster DNS does not become ready"; }
  # Until this account exists no pod can be made in the namespace.
  wait_for 30 kubectl get serviceaccount default -n default || die "the default service account does not appear"
}

cluster_images() {
  apiserver_ready >/dev/null 2>&1 || die "the cluster does not run: $0 up"
  push_images pause "${SW_IMAGES[@]}"
}

# --- down ------------------------------------------------------------------------------------------

cluster_down() {
  local start n
  start=$(now_ms)
  if mountpoint -q "$SW_RUN"; then
    say "Stopping the local cluster"
    for n in $(nodes_here); do timed "node$n" stop_node "$n"; done
    timed "control plane and registries" stop_control_plane
    umount "$SW_RUN"
    rmdir "$SW_RUN"
  else
    say "The local cluster does not run"
  fi
  # Mount points of the nodes: ours to remove only if nothing else put anything there.
  rmdir /var/lib/kubelet /var/lib/cni /var/log/containers /run/containerd "$SW_HOSTPATH_DIR" 2>/dev/null || true
  (( ! $1 )) || wipe_state
  done_in "down" "$start"
}

wipe_state() {
  [[ -d $SW_STATE ]] || return 0
  [[ -e $SW_STATE/.stagewright-cluster ]] || die "$SW_STATE does not look like the data of a cluster: not removed"
  rm -rf "$SW_STATE"
  note "removed $SW_STATE"
}

# --- use -------------------------------------------------------------------------------------------

cluster_env() {
  printf 'export KUBECONFIG=%q\n' "$KUBECONFIG"
  printf 'export PATH=%q:%s\n' "$SW_BIN" "\$PATH"
  printf 'export STAGEWRIGHT_CLUSTER_STATE=%q\n' "$SW_STATE"
  printf 'export STAGEWRIGHT_REGISTRY=%q STAGEWRIGHT_OPEN_REGISTRY=%q\n' "$SW_AUTH_REGISTRY" "$SW_OPEN_REGISTRY"
  printf 'export STAGEWRIGHT_REGISTRY_USER=%q STAGEWRIGHT_REGISTRY_PASSWORD_FILE=%q\n' "$SW_REGISTRY_USER" "$SW_STATE/registry/password"
  printf 'export STAGEWRIGHT_REGISTRY_CONFIG=%q\n' "$SW_STATE/registry/config.json"
}

cluster_exec() {
  local where=${1:?exec needs cp or nodeN, and a command}; shift
  need_root "$0 exec"
  case $where in
    cp)          exec nsenter --net="/run/netns/$SW_CP_NETNS" "$@" ;;
    node[1-9])   exec nsenter --net="/run/netns/$SW_NODE_NETNS_PREFIX${where#node}" --mount="$SW_RUN/$where/mnt.ns" "$@" ;;
    *) die "exec: WHERE is cp or nodeN, not $where" ;;
  esac
}

main "$@"
