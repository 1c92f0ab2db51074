# shellcheck shell=bash
# Two registries in the control plane's namespace, both plain HTTP, both allowing deletion:
#   SW_AUTH_REGISTRY  asks for user name and password (htpasswd, bcrypt): where builds push
#   SW_OPEN_REGISTRY  asks for nothing: base images, the project's own images, the sandbox image
# Two, because the kubelet pulls the sandbox image without credentials, while the tests must see a
# push and a pull refused.

start_registries() {
  local binary
  binary=$(registry_binary)
  make_registry_credentials
  registry_config "$SW_AUTH_REGISTRY" auth | put "$SW_STATE/registry/auth.yml" 600
  registry_config "$SW_OPEN_REGISTRY" open | put "$SW_STATE/registry/open.yml" 600
  start registry-auth cp "$binary" serve "$SW_STATE/registry/auth.yml"
  start registry-open cp "$binary" serve "$SW_STATE/registry/open.yml"
}

# Debian's package would also start a service on port 5000 of the machine: take its program only,
# unless the package is installed already.
registry_binary() {
  command -v docker-registry && return 0
  printf '%s\n' "$(unpacked_package docker-registry)/usr/bin/docker-registry"
}

# unpacked_package NAME: the directory in the cache that holds the files of a Debian package.
unpacked_package() {
  local dir=$SW_BUILDS/$1
  if [[ ! -d $dir ]]; then
    note "fetching $1 (unpacked into the cache, not installed)"
    mkdir -p "$dir.new"
    (cd "$dir.new" && fetch_package "$1") || return
    dpkg -x "$dir.new/$1"_*.deb "$dir.new" || return
    rm -f "$dir.new"/*.deb
    mv "$dir.new" "$dir"
  fi
  printf '%s\n' "$dir"
}

# Into the current directory, which apt's own user may not be able to write.
fetch_package() {
  local get=(apt-get -qq -o APT::Sandbox::User=root)
  "${get[@]}" download "$1" >&2 || { "${get[@]}" update && "${get[@]}" download "$1"; } >&2
}

# registry_config ADDRESS NAME
registry_config() {
  cat <<YAML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $SW_STATE/registry/$2}
  delete: {enabled: true}
http: {addr: "$1", secret: "$(<"$SW_STATE/registry/secret")"}
YAML
  if [[ $2 == auth ]]; then
    printf 'auth: {htpasswd: {realm: stagewright, path: %s}}\n' "$SW_STATE/registry/htpasswd"
  fi
}

# Files in $SW_STATE/registry: `password`, `htpasswd`, and a docker config.json with the registry under both
# of its addresses, as `kubectl create secret docker-registry --from-file` and other clients take it.
make_registry_credentials() {
  local dir=$SW_STATE/registry password token
  [[ -s $dir/config.json ]] && return 0
  mkdir -p "$dir"
  (
    umask 077
    password=$(random_hex 12)
    printf '%s' "$password" >"$dir/password"
    random_hex 16 >"$dir/secret"
    bcrypt_line "$SW_REGISTRY_USER" "$password" >"$dir/htpasswd"
    token=$(printf '%s:%s' "$SW_REGISTRY_USER" "$password" | base64 -w0)
    printf '{"auths": {"%s": {"auth": "%s"}, "127.0.0.1:%s": {"auth": "%s"}}}\n' \
      "$SW_AUTH_REGISTRY" "$token" "$SW_AUTH_REGISTRY_PORT" "$token" >"$dir/config.json"
  )
}

random_hex() { od -An -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }

# The registry takes bcrypt only. libc's crypt() has it, and perl is on every Debian. Cost 5: the
# password is random and long, and the registry hashes on every request.
bcrypt_line() {
  printf '%s:' "$1"
  # shellcheck disable=SC2016 # perl's variables, not ours
  PASSWORD=$2 SALT="\$2y\$05\$$(random_hex 11)" perl -e 'print crypt($ENV{PASSWORD}, $ENV{SALT}), "\n"'
}

# registry_answers HOST:PORT STATUS: what GET /v2/ says, from the machine's own namespace.
registry_answers() {
  [[ $(curl -s -o /dev/null -m 5 -w '%{http_code}' "http://127.0.0.1:$1/v2/") == "$2" ]]
}
