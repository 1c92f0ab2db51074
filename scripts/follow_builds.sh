#!/usr/bin/env bash
# Shows what ImageBuilds do while they do it, until all of them have finished.
#
#   follow_builds.sh NAMESPACE NAME...
#
# States come from the ImageBuilds' status, steps and output from the logs of their pods. Exit code: 0 if all succeeded,
# 1 if one did not, 2 after STAGEWRIGHT_FOLLOW_SECONDS (default 1200).
set -euo pipefail

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# One line per fact of a build: name, key, text. A line is shown when its text changes.
# shellcheck disable=SC2016 # jq's variables
facts='.items[] | .metadata.name as $name | .status // {} |
  ([.conditions[]? | select(.type == "Ready")][0]) as $ready |
  [$name, "phase", ((.phase // "Queued") + (if .progress then " " + .progress else "" end)
    + (if $ready.status == "Unknown" and ($ready.reason // "Progressing" | . != "Progressing" and . != "Queued")
       then ": " + $ready.reason + ": " + ($ready.message // "") else "" end))],
  (.stages[]? | [$name, "stage \(.index)", "stage \(.name) \(.state)"
    + (if .attempt > 1 then " (attempt \(.attempt))" else "" end) + (if .node then " on \(.node)" else "" end)])
  | map(gsub("[\u0000-\u001f\u007f]"; " ")) | @tsv'

# shellcheck disable=SC2016
finished='.items | length > 0 and all(.[]; .status.observedGeneration == .metadata.generation
  and any(.status.conditions[]?; .type == "Finished" and .status == "True"))'

# shellcheck disable=SC2016
pods='.items[] | select(.status.phase != "Pending") | [.metadata.name,
  (.metadata.labels | .["build.stagewright.dev/build"], .["build.stagewright.dev/role"], .["build.stagewright.dev/stage"] // "-")] | @tsv'

# A log line as people want it: frames of ours in words, output of the build as it is.
# shellcheck disable=SC2016
words='def clean: gsub("[\u0000-\u0008\u000b-\u001f\u007f]"; "");
  def duration: "\(. / 100 | floor / 10) s";
  def megabytes: "\(. / 100000 | floor / 10) MB";
  if startswith("##stagewright ") then
    (try (.[14:] | sub("^[0-9a-f]+ "; "") | fromjson) catch {}) as $f |
    if $f.type == "step" and $f.state == "Started" then empty  # the executor says it in words
    elif $f.type == "step" and $f.state == "Succeeded" and ($f.millis // 0) < 100 then empty
    elif $f.type == "step" then "\($f.state | ascii_downcase) after \($f.millis // 0 | duration)"
    elif $f.type == "push-check" then "may push: \($f.ok)"
    elif $f.type == "layer" then "layer \($f.digest[7:19]) \($f.size // 0 | megabytes) \($f.how)"
    elif $f.type == "image" then "pushed \($f.reference // "")"
    else empty end
  else clean end'

followers=()
declare -A shown=() followed=() stages=()

show_changes() {
  local name key text
  while IFS=$'\t' read -r name key text; do
    if [[ $key == stage* ]]; then stages[$name/${key#stage }]=$(cut -d' ' -f2 <<<"$text"); fi
    if [[ ${shown[$name/$key]:-} != "$text" ]]; then
      shown[$name/$key]=$text
      printf '%s%-16s%s %s\n' "$SW_BOLD" "$name" "$SW_OFF" "$text"
    fi
  done < <(jq -r "$facts" <<<"$1")
}

follow_pod() {
  local pod=$1 label=$2
  kubectl logs -n "$namespace" -f "$pod" 2>/dev/null | jq -Rr --unbuffered "$words" |
    while IFS= read -r line; do printf '%s %s%-10s| %s%s\n' "$build_column" "$SW_DIM" "$label" "$line" "$SW_OFF"; done
}

follow_new_pods() {
  local pod build role stage build_column
  while IFS=$'\t' read -r pod build role stage; do
    [[ " ${names[*]} " == *" $build "* && -z ${followed[$pod]:-} ]] || continue
    followed[$pod]=1
    printf -v build_column '%-16s' "$build"
    if [[ $role == stage ]]; then role=${stages[$build/$stage]:-stage $stage}; fi
    follow_pod "$pod" "$role" &
    followers+=($!)
  done < <(kubectl get pods -n "$namespace" -l build.stagewright.dev/build -o json | jq -r "$pods")
}

verdict() {
  jq -e '[.items[] | .status.conditions[]? | select(.type == "Ready") | .status == "True"] | all' >/dev/null <<<"$1"
}

main() {
  local namespace=${1:?NAMESPACE} names state deadline
  shift
  names=("$@")
  (( ${#names[@]} )) || die "name at least one ImageBuild"
  deadline=$(( $(now_ms) + ${STAGEWRIGHT_FOLLOW_SECONDS:-1200} * 1000 ))
  while true; do
    state=$(kubectl get imagebuilds -n "$namespace" "${names[@]}" -o json | jq -c 'if .kind == "List" then . else {items: [.]} end')
    show_changes "$state"
    follow_new_pods
    if jq -e "$finished" >/dev/null <<<"$state"; then break; fi
    (( $(now_ms) < deadline )) || die "not finished in time"
    sleep 0.5
  done
  # The last lines of the logs; pods that were deleted meanwhile have ended their followers.
  for pid in "${followers[@]}"; do wait "$pid" || true; done
  verdict "$state"
}

main "$@"
