# shellcheck shell=bash
# Base images, made on this machine (Docker Hub cannot be assumed) and pushed to the open registry, each
# as NAME and library/NAME, the latter for clients that use the registry in place of Docker Hub:
#
#   pause:1          the sandbox image, 15 kB
#   busybox:latest   Debian's busybox-static
#   alpine:latest    the same with /etc/alpine-release, adduser and addgroup
#   debian:12        mmdebstrap's minbase with libcap2-bin
#   golang:latest    that with Debian's golang-go, but no C compiler: hence CGO_ENABLED=0
#
# A layer is made once and kept in the cache under the hash of its recipe; pushing asks first.

SW_IMAGES=(busybox alpine debian golang)     # and pause, which `up` needs at once
SW_IMAGE_PACKAGES=(busybox-static mmdebstrap debian-archive-keyring python3 gcc libc6-dev)
SW_DEBIAN_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

image_tags() {
  case $1 in
    pause)  echo pause:1 ;;
    debian) echo debian:12 debian:bookworm debian:latest ;;
    *)      echo "$1:latest" ;;
  esac
}

image_config() {
  local path="PATH=$SW_DEBIAN_PATH"
  case $1 in
    pause)          echo '{"Entrypoint": ["/pause"], "User": "65535:65535"}' ;;
    busybox|alpine) echo "{\"Cmd\": [\"/bin/sh\"], \"Env\": [\"$path\"]}" ;;
    debian)         echo "{\"Cmd\": [\"bash\"], \"Env\": [\"$path\"]}" ;;
    golang)         echo "{\"Cmd\": [\"bash\"], \"WorkingDir\": \"/go\",
                      \"Env\": [\"PATH=/go/bin:$SW_DEBIAN_PATH\", \"GOPATH=/go\", \"GOTOOLCHAIN=local\", \"CGO_ENABLED=0\"]}" ;;
  esac
}

# --- recipes: for each a function that makes the layer PREFIX -----------------------------------------

layer_pause() {
  local dir
  dir=$(mktemp -d)
  gcc -Os -static -s -o "$dir/pause" "$SW_CLUSTER_DIR/images/pause.c"
  image_tool layer "$1" --dir "$dir"
  rm -rf "$dir"
}

layer_busybox() {
  local dir
  dir=$(mktemp -d)
  busybox_root "$dir"
  image_tool layer "$1" --dir "$dir"
  rm -rf "$dir"
}

layer_alpine() {
  local dir
  dir=$(mktemp -d)
  busybox_root "$dir"
  echo 3.20.0 >"$dir/etc/alpine-release"
  install -m 755 "$SW_CLUSTER_DIR"/images/alpine/{adduser,addgroup} "$dir/bin"
  image_tool layer "$1" --dir "$dir"
  rm -rf "$dir"
}

# The directories and empty files are what a container runtime mounts over. They must exist, or the
# first snapshot of a build would hold the mount points that the runtime made.
busybox_root() {
  local dir=$1 applet
  (
    umask 022
    cd "$dir" || exit
    chmod 755 .
    mkdir -p bin etc proc sys dev run
    install -d -m 1777 tmp
    install -d -m 700 root
    cp /bin/busybox bin/busybox
    for applet in $(/bin/busybox --list); do [[ $applet == busybox ]] || ln -s busybox "bin/$applet"; done
    printf '%s\n' root:x:0:0:root:/root:/bin/sh daemon:x:1:1:daemon:/usr/sbin:/bin/false \
      nobody:x:65534:65534:nobody:/home:/bin/false >etc/passwd
    printf '%s\n' root:x:0: daemon:x:1: wheel:x:10:root users:x:100: nobody:x:65534: >etc/group
    printf '%s\n' 'root:*:::::::' 'daemon:*:::::::' 'nobody:*:::::::' >etc/shadow
    chmod 640 etc/shadow
    touch etc/hosts etc/resolv.conf etc/hostname
  )
}

layer_debian() { debian_root libcap2-bin | image_tool layer "$1" --mkdir ./dev; }

layer_golang() {
  # shellcheck disable=SC2016 # "$1" is mmdebstrap's: the root
  debian_root libcap2-bin,golang-go,ca-certificates \
    --customize-hook='install -d -m 1777 "$1/go" "$1/go/src" "$1/go/bin"' |
    image_tool layer "$1" --mkdir ./dev
}

# debian_root PACKAGES [OPTION...]: a minimal system as a tar stream, from the machine's own sources, so no
# address of a mirror has to be known here. The three files: see busybox_root.
# Device nodes are the container runtime's business; /dev goes with them and is put back by --mkdir.
debian_root() {
  local packages=$1 sources=/etc/apt/sources.list.d/debian.sources; shift
  [[ -s $sources ]] || sources=/etc/apt/sources.list
  # shellcheck disable=SC2016
  SOURCE_DATE_EPOCH=1704067200 mmdebstrap --quiet --mode=root --variant=minbase --format=tar --skip=output/dev --include="$packages" \
    --customize-hook='for f in hosts resolv.conf hostname; do rm -f "$1/etc/$f"; : >"$1/etc/$f"; done' \
    "$@" bookworm - - <"$sources"
}

image_tool() { python3 "$SW_CLUSTER_DIR/image_tool.py" "$@"; }

# --- cache and push -------------------------------------------------------------------------------------

layer_prefix() {
  local hash
  hash=$({ layer_inputs "$1"; uname -m; } | sha256sum | cut -c1-12)
  printf '%s/%s-%s' "$SW_IMAGE_CACHE" "$1" "$hash"
}

# What a layer is made of: the text of its functions and the files they copy.
layer_inputs() {
  declare -f "layer_$1"
  case $1 in
    pause)   cat "$SW_CLUSTER_DIR/images/pause.c" ;;
    busybox) declare -f busybox_root; cat /bin/busybox ;;
    alpine)  declare -f busybox_root; cat /bin/busybox "$SW_CLUSTER_DIR"/images/alpine/* ;;
    *)       declare -f debian_root ;;
  esac
}

# make_layer NAME: unless the cache has it. The .json comes last, so its presence means a whole layer.
make_layer() {
  local prefix
  prefix=$(layer_prefix "$1")
  [[ -e $prefix.json ]] && return 0
  mkdir -p "$SW_IMAGE_CACHE"
  timed "made the layer of $1" "layer_$1" "$prefix"
}

make_layers() {
  local name
  for name in "${SW_IMAGES[@]}"; do make_layer "$name"; done
}

push_image() {
  local name=$1 tag references=() line
  for tag in $(image_tags "$name"); do references+=("$tag" "library/$tag"); done
  line=$(image_tool push "http://127.0.0.1:$SW_OPEN_REGISTRY_PORT" --layer "$(layer_prefix "$name")" \
    --config "$(image_config "$name")" "${references[@]}")
  [[ $line == present* ]] || note "$line"
}

push_images() {
  local name
  for name in "$@"; do make_layer "$name"; push_image "$name"; done
}
