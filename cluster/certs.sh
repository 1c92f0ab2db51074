# shellcheck shell=bash
# Certificates, keys and kubeconfigs of the cluster, made with openssl once per state directory.
# For a cluster on loopback and in namespaces: ten years, no rotation, keys readable by root only.

make_certificates() {
  local dir=$SW_STATE/pki
  [[ -e $dir/complete ]] && return 0
  rm -rf "$dir"
  mkdir -p "$dir"
  (
    umask 077
    cd "$dir" || exit
    make_authority ca
    make_authority front-proxy-ca     # signs nothing but the API server's aggregation client
    openssl genrsa -out service-accounts.key 2048 2>/dev/null
    openssl rsa -in service-accounts.key -pubout -out service-accounts.pub 2>/dev/null

    make_certificate apiserver /CN=kube-apiserver ca serverAuth \
      "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$SW_CP_IP,IP:$SW_API_SERVICE_IP"
    make_certificate apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
    make_certificate front-proxy-client /CN=front-proxy-client front-proxy-ca

    # User names are what RBAC's built-in bindings know.
    make_kubeconfig admin              /O=system:masters/CN=admin 127.0.0.1
    make_kubeconfig controller-manager /CN=system:kube-controller-manager 127.0.0.1
    make_kubeconfig scheduler          /CN=system:kube-scheduler 127.0.0.1
    make_kubeconfig coredns            /CN=system:coredns 127.0.0.1
    make_kubeconfig kube-proxy         /CN=system:kube-proxy "$SW_CP_IP"
    for ((n = 1; n <= SW_MAX_NODES; n++)); do
      make_kubeconfig "node$n" "/O=system:nodes/CN=system:node:node$n" "$SW_CP_IP"
    done
    touch complete
  )
}

make_authority() {
  openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
  openssl req -x509 -new -key "$1.key" -subj "/CN=stagewright-$1" -days 3650 -out "$1.crt" 2>/dev/null
}

# make_certificate NAME SUBJECT [AUTHORITY] [USAGE] [ALTERNATIVE_NAMES]
make_certificate() {
  local name=$1 subject=$2 authority=${3:-ca} usage=${4:-clientAuth} names=${5:-} extensions
  extensions="extendedKeyUsage=$usage"
  [[ -z $names ]] || extensions+=$'\n'"subjectAltName=$names"
  openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
  openssl req -new -key "$name.key" -subj "$subject" |
    openssl x509 -req -CA "$authority.crt" -CAkey "$authority.key" -CAcreateserial -days 3650 \
      -extfile <(printf '%s\n' "$extensions") -out "$name.crt" 2>/dev/null
}

# make_kubeconfig NAME SUBJECT SERVER_ADDRESS: a client certificate and a kubeconfig that holds it.
# The port is SW_API_PORT on every address: 127.0.0.1 is the forwarder's on the machine, and in the
# control plane's namespace the API server's own.
make_kubeconfig() {
  make_certificate "$1" "$2"
  cat >"$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: stagewright
  cluster:
    server: https://$3:$SW_API_PORT
    certificate-authority-data: $(base64 -w0 ca.crt)
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$1.crt")
    client-key-data: $(base64 -w0 "$1.key")
contexts:
- name: stagewright
  context: {cluster: stagewright, user: $1}
current-context: stagewright
YAML
}
