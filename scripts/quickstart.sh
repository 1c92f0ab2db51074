#!/usr/bin/env bash
# From a fresh Debian 12 to two images built on a real Kubernetes. Can be run again: what is there is kept.
#
#   quickstart.sh [--real-images]
#   quickstart.sh --context NAME --registry REF [--docker-config FILE] [--plain-http] [--go-image REF]
#
#   --context NAME         use this cluster of your kubeconfig instead of starting one
#   --registry REF         with --context: where images go, such as registry.example/team; both we and the nodes must
#                          reach it
#   --docker-config FILE   with --context: credentials for it; default: ~/.docker/config.json
#   --plain-http           with --context: that registry, and the one of --go-image, speak HTTP
#   --go-image REF         with --context: the example's base image; default: Docker Hub's golang
#   --real-images          build on Docker Hub's golang image instead of one made on this machine (needs a network)
#   --bin DIR              use these programs instead of building them
#   --namespace NAME       where the example builds live; default: demo
#   --install-only         stop when the operator runs
#
# Packages, caches and the local cluster's data stay; `scripts/cluster.sh down --wipe` takes the cluster away.
set -Eeuo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"
# A command that fails where no message was foreseen must not end the script in silence.
trap 'warn "failed: ${BASH_SOURCE[0]##*/}:$LINENO: $BASH_COMMAND"' ERR

bin='' context='' registry='' docker_config=$HOME/.docker/config.json real_images=0 plain_http=0 go_image='' namespace=demo install_only=0
system_namespace=stagewright-system
builds=(hello-go-large hello-go-small)

usage() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

parse_arguments() {
  while (( $# )); do
    case $1 in
      --context)       context=${2:?--context needs a name}; shift ;;
      --registry)      registry=${2:?--registry needs a repository prefix}; shift ;;
      --docker-config) docker_config=${2:?--docker-config needs a file}; shift ;;
      --go-image)      go_image=${2:?--go-image needs a reference}; shift ;;
      --plain-http)    plain_http=1 ;;
      --namespace)     namespace=${2:?--namespace needs a name}; shift ;;
      --bin)           bin=${2:?--bin needs a directory}; shift ;;
      --real-images)   real_images=1 ;;
      --install-only)  install_only=1 ;;
      -h|--help)       usage; exit 0 ;;
      *)               usage >&2; die "unknown argument: $1" ;;
    esac
    shift
  done
  if [[ -n $context ]]; then
    [[ -n $registry ]] || die "--context needs --registry: the cluster's nodes must be able to pull what we push"
    [[ -s $docker_config ]] || die "no credentials for $registry: $docker_config does not exist (--docker-config FILE)"
  elif [[ -n $registry$go_image ]] || (( plain_http )); then
    die "--registry, --plain-http and --go-image belong to --context; the local cluster has registries of its own"
  fi
}

# --- building -----------------------------------------------------------------------------------

prefixed() { sed -u "s/^/${SW_DIM}[$1]${SW_OFF} /" >&2; }

# The two big builds share nothing, so they run side by side: on a cold machine each takes about five minutes.
build_and_start() {
  local cpp_pid=''
  timed "packages" install_packages
  if [[ -z $bin ]]; then
    say "Building the programs (C++) and, beside it, the cluster"
    ("$root/scripts/build.sh" --no-install 2>&1 | prefixed "c++") &
    cpp_pid=$!
    bin=$root/build/release/bin
  fi
  start_cluster
  [[ -z $cpp_pid ]] || wait "$cpp_pid" || die "building the programs failed; by itself: scripts/build.sh"
}

# All of them before anything runs side by side: apt works for one at a time.
install_packages() {
  [[ -n $bin ]] || "$root/scripts/build.sh" --packages-only
  apt_install jq bsdextrautils
}

start_cluster() {
  [[ -n $context ]] || "$root/scripts/cluster.sh" up 2>&1 | prefixed cluster
  "$root/scripts/cluster.sh" helm 2>&1 | prefixed cluster
  if [[ -n $context ]]; then use_own_cluster; else use_local_cluster; fi
}

use_local_cluster() {
  eval "$("$root/scripts/cluster.sh" env)"
  push_to=127.0.0.1:${STAGEWRIGHT_OPEN_REGISTRY##*:}/stagewright
  pull_as=$STAGEWRIGHT_OPEN_REGISTRY/stagewright
  push_flags=(--plain-http)
  secret_config=$STAGEWRIGHT_REGISTRY_CONFIG
  output=$STAGEWRIGHT_REGISTRY/$namespace/hello-go
  plain_hosts=("$STAGEWRIGHT_REGISTRY" "$STAGEWRIGHT_OPEN_REGISTRY")
  base_image=$STAGEWRIGHT_OPEN_REGISTRY/golang:latest
}

# A kubeconfig of our own with that context, so that kubectl and helm need no flag and yours is not touched.
use_own_cluster() {
  local kubectl
  kubectl=$(command -v kubectl) || die "kubectl is missing"
  "$kubectl" config view --context="$context" --minify --flatten >"$scratch/kubeconfig" || die "there is no context $context"
  chmod 600 "$scratch/kubeconfig"
  export KUBECONFIG=$scratch/kubeconfig
  PATH=$("$root/scripts/cluster.sh" env | sed -n 's/^export PATH=\([^:]*\):.*/\1/p'):$PATH
  hash -r
  push_to=$registry pull_as=$registry push_flags=(--docker-config "$docker_config")
  secret_config=$scratch/config.json
  own_credentials >"$secret_config"
  output=$registry/hello-go
  base_image=$go_image
  if (( plain_http )); then
    push_flags+=(--plain-http)
    plain_hosts=("${registry%%/*}")
    [[ ${go_image%%/*} != *[.:]* || ${go_image%%/*} == "${registry%%/*}" ]] || plain_hosts+=("${go_image%%/*}")
  fi
}

# Only what belongs to this registry goes into the cluster, not everything you are logged in to.
own_credentials() {
  jq --arg host "${registry%%/*}" '{auths: (.auths // {} | with_entries(select(.key | sub("^https?://"; "") | sub("/.*"; "") == $host)))}
    | if .auths == {} then error("no entry for " + $host) else . end' "$docker_config" ||
    die "$docker_config holds no password for ${registry%%/*} (credential helpers are not read)"
}

# --- installing ---------------------------------------------------------------------------------

push_images() {
  local name reference
  while read -r name reference; do
    images[$name]=$reference
    note "$reference"
  done < <("$root/scripts/images.sh" --bin "$bin" --registry "$push_to" --pull-as "$pull_as" "${push_flags[@]}")
  (( ${#images[@]} == 3 )) || die "the images were not pushed"
}

install_operator() {
  local name settings=()
  for name in operator builder empty; do
    settings+=(--set-string "images.$name.repository=${images[$name]%@*},images.$name.digest=${images[$name]#*@}")
  done
  [[ -z $context ]] || settings+=(--set "images.pullSecrets[0].name=push")
  make_namespace "$system_namespace" restricted
  # A CRD may be there that somebody applied by hand. In an upgrade the flag would let fields stay that the chart dropped.
  helm status stagewright --namespace "$system_namespace" >/dev/null 2>&1 || settings+=(--take-ownership)
  helm upgrade --install stagewright "$root/helm/stagewright" --namespace "$system_namespace" \
    "${settings[@]}" --wait --timeout 3m >"$scratch/helm.log" 2>&1 ||
    { cat "$scratch/helm.log" >&2; kubectl -n "$system_namespace" get pods >&2; die "helm could not install the operator"; }
  kubectl wait --for=condition=Established crd/imagebuilds.build.stagewright.dev --timeout=30s >/dev/null
}

# make_namespace NAME LEVEL: with Pod Security and the Secret for the registry.
make_namespace() {
  kubectl apply --server-side --force-conflicts --field-manager=quickstart -f - >/dev/null <<YAML
apiVersion: v1
kind: Namespace
metadata:
  name: $1
  labels: {pod-security.kubernetes.io/enforce: $2}
YAML
  kubectl create secret generic push -n "$1" --type=kubernetes.io/dockerconfigjson \
    --from-file=.dockerconfigjson="$secret_config" --dry-run=client -o yaml |
    kubectl apply --server-side --force-conflicts --field-manager=quickstart -f - >/dev/null
}

# --- building the examples ----------------------------------------------------------------------

# The example as it is in examples/, its images and registries set to where we are.
write_overlay() {
  local dir=$scratch/hello-go base name host
  mkdir -p "$dir"
  base=$(realpath --relative-to="$dir" "$root/examples/hello-go")
  {
    printf 'resources: [%s]\npatches:\n' "$base"
    for name in "${builds[@]}"; do
      printf -- '- target: {kind: ImageBuild, name: %s}\n  patch: |\n' "$name"
      printf -- '    - {op: replace, path: /spec/output/image, value: "%s:%s"}\n' "$output" "${name##*-}"
    done
    printf -- '- target: {kind: ImageBuild}\n  patch: |\n'
    [[ -z $context ]] || printf -- '    - {op: add, path: /spec/imagePullSecrets, value: [{name: push}]}\n'
    [[ -z $base_image ]] || printf -- '    - {op: add, path: /spec/buildArgs, value: [{name: GO_IMAGE, value: "%s"}]}\n' "$base_image"
    printf -- '    - {op: add, path: /spec/registries, value: []}\n'
    for host in "${plain_hosts[@]}"; do
      printf -- '    - {op: add, path: /spec/registries/-, value: {host: "%s", tls: PlainHTTP}}\n' "$host"
    done
  } >"$dir/kustomization.yaml"
}

# The local cluster's nodes have no way out, so Docker Hub's image is copied into its registry.
copy_real_images() {
  apt_install skopeo
  skopeo copy --quiet --dest-tls-verify=false docker://docker.io/library/golang:latest \
    "docker://127.0.0.1:${STAGEWRIGHT_OPEN_REGISTRY##*:}/hub/golang:latest" >&2
  base_image=$STAGEWRIGHT_OPEN_REGISTRY/hub/golang:latest
}

# Applying the same again builds nothing: that is what declarative means. A second run of this script asks for it.
apply_examples() {
  local again token
  token=$(now_ms)
  make_namespace "$namespace" baseline
  again=$(kubectl get imagebuilds -n "$namespace" -o jsonpath='{.items[?(@.status.run.completionTime)].metadata.name}')
  kubectl apply -n "$namespace" -k "$scratch/hello-go" >&2
  [[ -n $again ]] || return 0
  kubectl annotate imagebuilds -n "$namespace" "${builds[@]}" --overwrite "build.stagewright.dev/rebuild=$token" >&2
  kubectl wait imagebuilds -n "$namespace" "${builds[@]}" --for=jsonpath='{.status.lastHandledRebuild}'="$token" --timeout=60s >/dev/null
}

show_table() {
  # shellcheck disable=SC2016 # jq's variables
  kubectl get imagebuilds -n "$namespace" "${builds[@]}" -o json | jq -r '
    def megabytes: "\(. / 100000 | floor / 10) MB";
    [.items[].status.image.sizeBytes] as $sizes | ($sizes | min) as $least |
    ["REPOSITORY", "TAG", "DIGEST", "SIZE (compressed)", "RATIO", "SECONDS"],
    (.items[] | .status | [(.image.reference | sub("@.*"; "")), (.image.tags | join(",")), .image.digest[0:19],
      (.image.sizeBytes | megabytes), "\(.image.sizeBytes / $least | floor) : 1", "\(.run.durationSeconds)"]) | @tsv' |
    column -t -s $'\t'
}

run_small_image() {
  local reference overrides
  reference=$(kubectl get imagebuild hello-go-small -n "$namespace" -o jsonpath='{.status.image.reference}')
  overrides='{"spec": {"imagePullSecrets": [{"name": "push"}], "terminationGracePeriodSeconds": 1}}'
  kubectl delete pod hello -n "$namespace" --ignore-not-found >/dev/null
  kubectl run hello -n "$namespace" --image="$reference" --restart=Never --overrides="$overrides" >/dev/null
  kubectl wait -n "$namespace" pod/hello --for=jsonpath='{.status.phase}'=Succeeded --timeout=60s >/dev/null ||
    { kubectl describe pod hello -n "$namespace" >&2; die "the image did not run"; }
  kubectl logs -n "$namespace" hello
  kubectl delete pod hello -n "$namespace" --wait=false >/dev/null
}

next_commands() {
  say "Try next"
  # shellcheck disable=SC2016 # a command to be typed
  [[ -n $context ]] || printf '  eval "$(%s/scripts/cluster.sh env)"      # kubectl and helm for the local cluster\n' "${root/#$PWD/.}"
  cat <<TEXT
  kubectl get imgb -n $namespace -o wide
  kubectl describe imgb hello-go-small -n $namespace
  kubectl explain imagebuild.spec
  kubectl annotate imgb hello-go-small -n $namespace --overwrite build.stagewright.dev/rebuild=again
  kubectl logs -n $namespace -f --prefix -l build.stagewright.dev/build=hello-go-small --all-containers
TEXT
  [[ -n $context ]] || printf '  %s/scripts/cluster.sh down                # stops everything\n' "${root/#$PWD/.}"
}

main() {
  local start scratch base_image push_to pull_as push_flags plain_hosts=() secret_config output
  declare -A images=()
  parse_arguments "$@"
  start=$(now_ms)
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064 # the name as it is now
  trap "rm -rf '$scratch'" EXIT

  build_and_start
  say "Making and pushing the operator's images"
  timed "images" push_images
  say "Installing the operator with Helm"
  timed "operator" install_operator
  (( ! install_only )) || { done_in "installed" "$start"; return; }

  [[ -n $context || $real_images == 0 ]] || timed "Docker Hub's golang image" copy_real_images
  say "kubectl apply: the same program by two Dockerfiles"
  write_overlay
  apply_examples
  timed "both images are built and pushed" "$root/scripts/follow_builds.sh" "$namespace" "${builds[@]}"
  say "What was built"
  show_table
  say "Running $output:small"
  timed "pod" run_small_image
  done_in "everything" "$start"
  next_commands
}

main "$@"
