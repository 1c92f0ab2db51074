# shellcheck shell=bash
# Whether each part of the cluster answers, as a table.

cluster_status() {
  SW_UNHEALTHY=0
  printf '%-20s %-8s %s\n' PART STATE DETAIL
  row etcd               "pid $(pid_of etcd || echo -)"                      in_cp curl -sf -m 5 http://127.0.0.1:2379/health
  row kube-apiserver     "https://127.0.0.1:$SW_API_PORT"                    apiserver_ready
  row controller-manager "pid $(pid_of kube-controller-manager || echo -)"   in_cp curl -skf -m 5 https://127.0.0.1:10257/healthz
  row scheduler          "pid $(pid_of kube-scheduler || echo -)"            in_cp curl -skf -m 5 https://127.0.0.1:10259/healthz
  row dns                "$SW_CP_IP:53, cluster.local"                       dns_ready
  row registry           "$SW_AUTH_REGISTRY and 127.0.0.1:$SW_AUTH_REGISTRY_PORT, user $SW_REGISTRY_USER" registry_answers "$SW_AUTH_REGISTRY_PORT" 401
  row registry-open      "$SW_OPEN_REGISTRY and 127.0.0.1:$SW_OPEN_REGISTRY_PORT, anonymous"              registry_answers "$SW_OPEN_REGISTRY_PORT" 200
  node_rows
  return "$SW_UNHEALTHY"
}

row() {
  local part=$1 detail=$2 state=ok; shift 2
  "$@" >/dev/null 2>&1 || { state=DOWN; SW_UNHEALTHY=1; }
  printf '%-20s %-8s %s\n' "$part" "$state" "$detail"
}

node_rows() {
  local n nodes
  mapfile -t nodes < <(nodes_here)
  (( ${#nodes[@]} )) || { SW_UNHEALTHY=1; printf '%-20s %-8s %s\n' node1 DOWN "no node runs"; }
  for n in "${nodes[@]}"; do
    row "node$n" "$SW_NODE_NET_PREFIX$n, pods $SW_POD_NET_PREFIX.$n.0/24" node_ready "$n"
  done
}

node_ready() {
  is_alive "containerd-$1" && is_alive "kube-proxy-$1" && kubelet_healthy "$1" &&
    [[ $(kubectl get node "node$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' --request-timeout=5s) == True ]]
}
