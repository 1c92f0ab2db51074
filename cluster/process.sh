# shellcheck shell=bash
# Starting and stopping the cluster's long-running processes.
#
# A pid file alone does not say whose process it names: pids are used again. Each file therefore
# holds the pid and the start time of the process, and only a process that matches both is ever
# signalled. The files live on the tmpfs SW_RUN and so do not outlive a boot.

# start_time PID: clock ticks since boot; nothing for a zombie, which is as good as gone (in
# containers pid 1 may take a second or two to reap one).
start_time() {
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  read -ra fields <<<"${stat##*) }"     # the name in parentheses may hold anything
  [[ ${fields[0]} == Z ]] || printf '%s' "${fields[19]}"
}

# pid_of NAME: prints the pid if that process still runs and is the one we started.
pid_of() {
  local pid started
  { read -r pid started <"$SW_RUN/pids/$1"; } 2>/dev/null || return 1
  [[ -n $started && $(start_time "$pid") == "$started" ]] || return 1
  printf '%s' "$pid"
}

is_alive() { pid_of "$1" >/dev/null; }

# start NAME WHERE COMMAND...: starts it unless it runs. WHERE is `host`, `cp` or `nodeN`: the network
# namespace to enter, and for a node its mount namespace too. (`ip netns exec` will not do: it mounts
# a new /sys, which hides the cgroups.)
start() {
  local name=$1 where=$2 enter=() pid; shift 2
  is_alive "$name" && return 0
  case $where in
    cp)    enter=(nsenter --net="/run/netns/$SW_CP_NETNS") ;;
    node*) enter=(nsenter --net="/run/netns/$SW_NODE_NETNS_PREFIX${where#node}" --mount="$SW_RUN/$where/mnt.ns") ;;
  esac
  # 9 is the descriptor of the command lock (see scripts/cluster.sh): it must not be inherited.
  setsid "${enter[@]}" "$@" >>"$SW_STATE/logs/$name.log" 2>&1 </dev/null 9>&- &
  pid=$!
  printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$SW_RUN/pids/$name"
}

# stop NAME [SECONDS]: TERM, and KILL when that did not help in time.
stop() {
  local name=$1 pid deadline
  if pid=$(pid_of "$name"); then
    kill -TERM "$pid" 2>/dev/null || true
    deadline=$(( $(now_ms) + ${2:-10} * 1000 ))
    while is_alive "$name" && (( $(now_ms) < deadline )); do sleep 0.05; done
    if is_alive "$name"; then
      warn "$name does not stop: killing it"
      kill -KILL "$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$SW_RUN/pids/$name"
}

# show_log NAME: the end of its log, for an error message.
show_log() { [[ ! -f $SW_STATE/logs/$1.log ]] || tail -n "${2:-8}" "$SW_STATE/logs/$1.log" >&2; }

# prepare_run_dir: mounts SW_RUN. Private, because a mount namespace can be bound on a private mount only.
prepare_run_dir() {
  mkdir -p "$SW_RUN"
  if ! mountpoint -q "$SW_RUN"; then
    mount -t tmpfs -o mode=755 stagewright-cluster "$SW_RUN"
    mount --make-private "$SW_RUN"
  fi
  mkdir -p "$SW_RUN/pids"
}

in_cp()   { nsenter --net="/run/netns/$SW_CP_NETNS" "$@"; }
in_node() { local n=$1; shift; nsenter --net="/run/netns/$SW_NODE_NETNS_PREFIX$n" "$@"; }
netns_exists() { [[ -e /run/netns/$1 ]]; }
