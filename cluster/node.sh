# shellcheck shell=bash
# A node: containerd, kubelet and kube-proxy in a network namespace and a mount namespace of their
# own, below a cgroup of their own. Nodes differ in nothing but their number.
#
# The mount namespace gives each node its own copy of the paths that are fixed in the programs' code
# (/var/lib/kubelet/device-plugins, /run/containerd/s ...), makes mount propagation work whatever / is
# here, and takes every mount of the node with it when its last process ends.

start_node() {
  local n=$1
  # After a crash or a killed session, remains would be in the way: stale sockets and leases of addresses.
  is_alive "containerd-$n" || clean_node "$n"
  mkdir -p "$SW_STATE/node$n"/{cni/conf,containerd,kubelet,podlogs,volume-plugins} "$SW_RUN/node$n/shim"
  make_node_netns "$n"
  make_node_mountns "$n"
  make_node_cgroups "$n"
  start_containerd "$n"
  start_kubelet "$n"
  start_kube_proxy "$n"
}

# A veth pair to the bridge; pods' networks are routed, not translated. There is no way out.
make_node_netns() {
  local n=$1 netns=$SW_NODE_NETNS_PREFIX$1 link=sw-veth$1 ip=$SW_NODE_NET_PREFIX$1
  if ! netns_exists "$netns"; then
    ip netns add "$netns"
    ip link add "$link" netns "$SW_CP_NETNS" type veth peer name eth0 netns "$netns"
    # shellcheck disable=SC2016 # expanded by the inner shell
    in_node "$n" bash -euc '
      ip link set lo up
      ip addr add "$1" dev eth0
      ip link set eth0 up
      ip route add default via "$2"
      echo 1 >/proc/sys/net/ipv4/ip_forward
    ' - "$ip/$SW_NODE_NET_BITS" "$SW_CP_IP"
    in_cp ip link set "$link" master "$SW_BRIDGE" up
  fi
  in_cp ip route replace "$SW_POD_NET_PREFIX.$n.0/24" via "$ip"
}

make_node_mountns() {
  local n=$1 handle=$SW_RUN/node$1/mnt.ns
  mountpoint -q "$handle" && return 0
  touch "$handle"
  # First private, then shared: where / is shared, as systemd makes it, a namespace made with shared
  # propagation would be a peer of the machine's own and every mount here would appear there.
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --mount="$handle" --propagation private bash -euc '
    mount --make-rshared /
    own() { mkdir -p "$1" "$2"; mount --bind "$1" "$2"; }
    for path in /var/lib/kubelet /var/lib/cni /var/log/containers; do own "$1/host$path" "$path"; done
    own "$2" /run/containerd
    own "$3" "$4"
  ' - "$SW_STATE/node$n" "$SW_RUN/node$n/shim" "$SW_STATE/volumes" "$SW_HOSTPATH_DIR"
}

# --- cgroups ---------------------------------------------------------------------------------------

has_cgroup_v2() { [[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]; }

# cgroup_mounts TYPE...: where hierarchies of the types `cgroup` (v1, name=systemd included) and `cgroup2` are
# mounted. In mountinfo the file system type follows a lone "-".
cgroup_mounts() {
  awk -v types=" $* " '{for (i = 7; i < NF; i++) if ($i == "-") {if (index(types, " " $(i + 1) " ")) print $5; break}}' /proc/self/mountinfo
}

make_node_cgroups() {
  if has_cgroup_v2; then make_node_cgroups_v2 "$1"; else make_node_cgroups_v1 "$1"; fi
}

# kubelet exits unless its root exists in every hierarchy, and a new cpuset is empty until filled.
make_node_cgroups_v1() {
  local mount group file
  while read -r mount; do
    mkdir -p "$mount/$SW_CGROUP/node$1"
    [[ -e $mount/cpuset.cpus ]] || continue
    for group in "$SW_CGROUP" "$SW_CGROUP/node$1"; do
      for file in cpuset.cpus cpuset.mems; do cat "$mount/$file" >"$mount/$group/$file"; done
    done
  done < <(cgroup_mounts cgroup)
}

# NOT TESTED: the machine this was written on has v1 only. A controller must be enabled in every parent
# of the group that is to use it. In a container whose root group holds processes the first write fails
# (EBUSY): there those must be moved to a child group first, which is not ours to do.
make_node_cgroups_v2() {
  local root=/sys/fs/cgroup group controller
  mkdir -p "$root/$SW_CGROUP/node$1"
  for group in "$root" "$root/$SW_CGROUP" "$root/$SW_CGROUP/node$1"; do
    for controller in cpuset cpu io memory hugetlb pids; do
      grep -qw "$controller" "$group/cgroup.controllers" || continue
      printf '+%s' "$controller" >"$group/cgroup.subtree_control" ||
        warn "cgroup v2: cannot enable $controller in $group"
    done
  done
}

# Every process of the node's containers, and no other.
kill_node_cgroup() {
  local dir
  node_cgroup_dirs "$1" | while read -r dir; do
    # cgroup.kill is v2's; v1 has only the list.
    if [[ -e $dir/cgroup.kill ]]; then echo 1 >"$dir/cgroup.kill"; fi
    # shellcheck disable=SC2038 # the output is of cat: pids
    find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
  done
}

# On a hybrid machine runc makes groups in the v2 hierarchy too, though nothing is limited by it.
node_cgroup_dirs() {
  local mount
  cgroup_mounts cgroup cgroup2 | while read -r mount; do
    [[ ! -d $mount/$SW_CGROUP/node$1 ]] || printf '%s\n' "$mount/$SW_CGROUP/node$1"
  done
}

remove_node_cgroups() {
  local dir
  node_cgroup_dirs "$1" | while read -r dir; do
    find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || true
    rmdir "${dir%/*}" 2>/dev/null || true     # the parent, with the last node
  done
}
no_node_cgroups() { [[ -z $(node_cgroup_dirs "$1") ]]; }

# --- containerd ------------------------------------------------------------------------------------

start_containerd() {
  local n=$1 dir=$SW_STATE/node$1
  cni_config "$n" | put "$dir/cni/conf/10-stagewright.conflist"
  registry_hosts "$dir/certs.d"
  containerd_config "$n" | put "$dir/containerd.toml"
  start "containerd-$n" "node$n" env PATH="$SW_BIN:$PATH" "$SW_BIN/containerd" --config "$dir/containerd.toml"
  wait_for 30 node_ctr "$n" version || { show_log "containerd-$n"; die "containerd of node$n does not answer"; }
}

node_ctr() { local n=$1; shift; "$SW_BIN/ctr" -a "$SW_RUN/node$n/containerd.sock" -n k8s.io "$@"; }

cni_config() {
  cat <<JSON
{"cniVersion": "1.0.0", "name": "stagewright", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$SW_STATE/node$1/cni/leases",
            "ranges": [[{"subnet": "$SW_POD_NET_PREFIX.$1.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
}

# Plain HTTP for our two registries. The open one also stands in for Docker Hub, whose official images it
# has under library/ as far as images.sh makes them.
registry_hosts() {
  local registry dir
  for registry in "$SW_AUTH_REGISTRY" "$SW_OPEN_REGISTRY"; do
    mkdir -p "$1/$registry"
    printf 'server = "http://%s"\n[host."http://%s"]\n  capabilities = ["pull", "resolve"]\n' "$registry" "$registry" |
      put "$1/$registry/hosts.toml"
  done
  mkdir -p "$1/docker.io"
  printf '[host."http://%s"]\n  capabilities = ["pull", "resolve"]\n' "$SW_OPEN_REGISTRY" | put "$1/docker.io/hosts.toml"
}

# restrict_oom_score_adj: without CAP_SYS_RESOURCE (containers, some virtual machines) no sandbox would
# start, since lowering the score of its processes is refused; elsewhere it does no harm.
containerd_config() {
  local dir=$SW_STATE/node$1 run=$SW_RUN/node$1
  cat <<TOML
version = 3
root = "$dir/containerd"
state = "$run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs", "io.containerd.nri.v1.nri"]
oom_score = 0
[grpc]
  address = "$run/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$dir/containerd/opt"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "$SW_PAUSE_IMAGE"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "$dir/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "$dir/cni/conf"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    BinaryName = "$SW_BIN/runc"
    SystemdCgroup = false
    Root = "$run/runc"
TOML
}

# --- kubelet and kube-proxy ------------------------------------------------------------------------

start_kubelet() {
  local n=$1 dir=$SW_STATE/node$1
  : >"$SW_STATE/resolv.conf"     # pods get cluster DNS and nothing of the machine's
  kubelet_config "$n" | put "$dir/kubelet.yaml"
  start "kubelet-$n" "node$n" "$SW_BIN/kubelet" --config="$dir/kubelet.yaml" --kubeconfig="$SW_STATE/pki/node$n.kubeconfig" \
    --root-dir="$dir/kubelet" --cert-dir="$dir/kubelet/pki" --hostname-override="node$n" --node-ip="$SW_NODE_NET_PREFIX$n" --v=1
}

# failCgroupV1: kubelet refuses v1 by default. Evicting at 2 % instead of 10 % of the disk: it is shared
# with everything else on the machine.
kubelet_config() {
  local dir=$SW_STATE/node$1
  cat <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $SW_STATE/pki/ca.crt}}
authorization: {mode: Webhook}
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /$SW_CGROUP/node$1
containerRuntimeEndpoint: unix://$SW_RUN/node$1/containerd.sock
oomScoreAdj: 0
failSwapOn: false
resolvConf: $SW_STATE/resolv.conf
clusterDNS: [$SW_CP_IP]
clusterDomain: cluster.local
podLogsDir: $dir/podlogs
volumePluginDir: $dir/volume-plugins
registryPullQPS: 0
serializeImagePulls: false
eventRecordQPS: 0
evictionHard: {memory.available: 200Mi, nodefs.available: 2%, imagefs.available: 2%}
imageGCHighThresholdPercent: 98
imageGCLowThresholdPercent: 95
YAML
}

# Zeros in conntrack: those settings are the machine's, not a namespace's, and may not be written here.
start_kube_proxy() {
  local n=$1 dir=$SW_STATE/node$1
  put "$dir/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $SW_STATE/pki/kube-proxy.kubeconfig}
mode: iptables
clusterCIDR: $SW_POD_CIDR
hostnameOverride: node$n
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
  start "kube-proxy-$n" "node$n" "$SW_BIN/kube-proxy" --config="$dir/kube-proxy.yaml"
}

# Ready as the API server has it may be from before a restart: ask the kubelet itself first.
kubelet_healthy() { in_node "$1" curl -sf -m 5 http://127.0.0.1:10248/healthz; }

wait_for_node() {
  local n=$1
  if ! { wait_for 60 kubelet_healthy "$n" && wait_for 60 kubectl get node "node$n" &&
         kubectl wait --for=condition=Ready "node/node$n" --timeout=90s >/dev/null; }; then
    show_log "kubelet-$n"
    die "node$n does not become Ready"
  fi
}

# --- stopping --------------------------------------------------------------------------------------

# nodes_here: the numbers of the nodes that run or have left something behind.
nodes_here() {
  local n
  for ((n = 1; n <= SW_MAX_NODES; n++)); do
    if [[ -d $SW_RUN/node$n ]] || netns_exists "$SW_NODE_NETNS_PREFIX$n"; then echo "$n"; fi
  done
}

stop_node() {
  local n=$1
  stop "kube-proxy-$n"
  stop "kubelet-$n"      # first, or it would start the containers again
  kill_node_cgroup "$n"
  if is_alive "containerd-$n"; then remove_containers "$n" || true; fi
  stop "containerd-$n"
  clean_node "$n"
}

# Dead containers would only be found dead at the next start.
remove_containers() {
  local n=$1 tasks containers
  mapfile -t tasks < <(node_ctr "$n" task ls -q 2>/dev/null)
  (( ${#tasks[@]} == 0 )) || node_ctr "$n" task rm -f "${tasks[@]}" >/dev/null 2>&1 || true
  mapfile -t containers < <(node_ctr "$n" container ls -q 2>/dev/null)
  (( ${#containers[@]} == 0 )) || node_ctr "$n" container rm "${containers[@]}" >/dev/null 2>&1 || true
}

# clean_node N: what a node leaves behind, however it ended. Its disk (images, volumes, logs) stays.
clean_node() {
  local n=$1 netns=$SW_NODE_NETNS_PREFIX$1 run=$SW_RUN/node$1
  kill_node_cgroup "$n"
  if netns_exists "$netns"; then
    ip netns pids "$netns" | xargs -r kill -KILL 2>/dev/null || true     # shims, host-network pods
    ip netns del "$netns"
  fi
  ! mountpoint -q "$run/mnt.ns" || umount "$run/mnt.ns"
  rm -rf "$run" "$SW_STATE/node$n/cni/leases"
  wait_for 5 eval "remove_node_cgroups $n; no_node_cgroups $n" || warn "cgroups of node$n remain"
}
