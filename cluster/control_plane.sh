# shellcheck shell=bash
# The control plane: etcd, API server, controller manager, scheduler, DNS, in a network namespace of
# their own with the bridge that the nodes hang on, and the forwarders that make the API server and
# the registries reachable on the machine's loopback, and nowhere else.

make_cp_netns() {
  netns_exists "$SW_CP_NETNS" || ip netns add "$SW_CP_NETNS"
  # shellcheck disable=SC2016 # expanded by the inner shell
  in_cp bash -euc '
    ip link set lo up
    ip link show "$1" >/dev/null 2>&1 || { ip link add "$1" type bridge; ip addr add "$2" dev "$1"; }
    ip link set "$1" up
    echo 1 >/proc/sys/net/ipv4/ip_forward
  ' - "$SW_BRIDGE" "$SW_CP_IP/$SW_NODE_NET_BITS"
}

start_control_plane() {
  start_etcd
  start_apiserver
  forward api "$SW_API_PORT"
  forward registry-auth "$SW_AUTH_REGISTRY_PORT"
  forward registry-open "$SW_OPEN_REGISTRY_PORT"
  wait_for 60 apiserver_ready || { show_log kube-apiserver; die "the API server does not become ready"; }
  start_controller_manager
  start_scheduler
  start_dns
}

dns_ready() { in_cp curl -sf -m 5 "http://$SW_CP_IP:8181/ready"; }

# A lab's data: etcd need not wait for the disk at every write.
start_etcd() {
  start etcd cp "$SW_BIN/etcd" --name stagewright --data-dir "$SW_STATE/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster stagewright=http://127.0.0.1:2380
}

# The requestheader flags belong to API aggregation, which nothing uses here; without them the
# controller manager and the scheduler log an error every few seconds.
start_apiserver() {
  local pki=$SW_STATE/pki
  start kube-apiserver cp "$SW_BIN/kube-apiserver" \
    --advertise-address="$SW_CP_IP" --bind-address=0.0.0.0 --secure-port="$SW_API_PORT" --etcd-servers=http://127.0.0.1:2379 \
    --service-cluster-ip-range="$SW_SERVICE_CIDR" --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --allow-privileged=true --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/service-accounts.pub" \
    --service-account-signing-key-file="$pki/service-accounts.key" --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$pki/apiserver-kubelet-client.crt" --kubelet-client-key="$pki/apiserver-kubelet-client.key" \
    --requestheader-client-ca-file="$pki/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$pki/front-proxy-client.crt" --proxy-client-key-file="$pki/front-proxy-client.key"
}

apiserver_ready() { kubectl get --raw /readyz; }

# Its host-path provisioner is the cluster's dynamic storage: one flag, no pod. It makes directories in
# /tmp/hostpath_pv (fixed in its code): in a mount namespace of its own that is the state directory,
# as it is on the nodes (see node.sh), so both nodes see the same files.
start_controller_manager() {
  local config=$SW_STATE/pki/controller-manager.kubeconfig
  mkdir -p "$SW_STATE/volumes" "$SW_HOSTPATH_DIR"
  # shellcheck disable=SC2016 # expanded by the inner shell
  start kube-controller-manager cp unshare --mount bash -euc 'mount --bind "$1" "$2"; shift 2; exec "$@"' - \
    "$SW_STATE/volumes" "$SW_HOSTPATH_DIR" \
    "$SW_BIN/kube-controller-manager" \
    --kubeconfig="$config" --authentication-kubeconfig="$config" --authorization-kubeconfig="$config" \
    --bind-address=127.0.0.1 --leader-elect=false --use-service-account-credentials=true \
    --service-account-private-key-file="$SW_STATE/pki/service-accounts.key" --root-ca-file="$SW_STATE/pki/ca.crt" \
    --cluster-signing-cert-file="$SW_STATE/pki/ca.crt" --cluster-signing-key-file="$SW_STATE/pki/ca.key" \
    --enable-hostpath-provisioner=true --flex-volume-plugin-dir="$SW_STATE/volume-plugins"
}

start_scheduler() {
  local config=$SW_STATE/pki/scheduler.kubeconfig
  start kube-scheduler cp "$SW_BIN/kube-scheduler" --bind-address=127.0.0.1 --leader-elect=false \
    --kubeconfig="$config" --authentication-kubeconfig="$config" --authorization-kubeconfig="$config"
}

# Names of the cluster only; any other is refused at once, since there is no way out to ask.
start_dns() {
  put "$SW_STATE/Corefile" <<CONF
.:53 {
  bind $SW_CP_IP
  ready $SW_CP_IP:8181
  errors
  cache 5
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $SW_STATE/pki/coredns.kubeconfig stagewright
  }
}
CONF
  start coredns cp "$SW_BIN/coredns" -conf "$SW_STATE/Corefile"
}

# forward NAME PORT: 127.0.0.1:PORT of the machine to SW_CP_IP:PORT. Unix sockets cross network
# namespaces, so a pair of relays needs neither a link nor a route into the machine's own.
forward() {
  local name=$1 port=$2 socket=$SW_RUN/$1.sock
  if ! is_alive "forward-$name-out" && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    die "127.0.0.1:$port is taken by something else (cluster/settings.sh names the variable to choose another port)"
  fi
  start "forward-$name-in" cp socat "UNIX-LISTEN:$socket,fork,unlink-early" "TCP:$SW_CP_IP:$port"
  start "forward-$name-out" host socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" "UNIX-CONNECT:$socket"
}

SW_CP_PROCESSES=(coredns forward-api-out forward-registry-auth-out forward-registry-open-out
  forward-api-in forward-registry-auth-in forward-registry-open-in
  kube-scheduler kube-controller-manager kube-apiserver registry-auth registry-open etcd)

stop_control_plane() {
  local name
  for name in "${SW_CP_PROCESSES[@]}"; do stop "$name" 20; done
  if netns_exists "$SW_CP_NETNS"; then
    # Relays of open connections and what `cluster.sh exec` started.
    ip netns pids "$SW_CP_NETNS" | xargs -r kill -KILL 2>/dev/null || true
    ip netns del "$SW_CP_NETNS"
  fi
}
