# shellcheck shell=bash
# --- Log, status and repetition

# Gone after a reboot: what this run of the program is doing. Files, because parts of it run in subshells.
RUN_DIR=/run/kclust
# What this run of the program is for; each has its own file for what keeps it from going on.
PROGRAM=${1:-boot}
# Why an attempt or the program failed; a file of its own for each process that attempts something.
FAILURE=$RUN_DIR/failure.$$

log() {
  printf '%s\n' "$*"
}

# time_of SECONDS: since the epoch (-1: now), as RFC 3339 has it.
time_of() {
  TZ=UTC printf '%(%Y-%m-%dT%H:%M:%SZ)T' "$1"
}

now() {
  time_of -1
}

# milliseconds: since the epoch.
milliseconds() {
  local now=$EPOCHREALTIME
  # The separator is that of the locale.
  printf '%s' "$((${now//[!0-9]/} / 1000))"
}

# step TEXT: begins a step; the log and the status object tell it. Beside the present step all earlier ones are kept, a line each:
# when it began, in milliseconds since the epoch, and its text.
step() {
  log "== $*"
  printf '%s %s\n' "$(milliseconds)" "$*" >> "$RUN_DIR/steps"
  now > "$RUN_DIR/since"
  rm -f "$RUN_DIR/error.$PROGRAM"
}

# present_step: its text.
present_step() {
  local last=''
  if [ -e "$RUN_DIR/steps" ]; then last=$(tail -n 1 "$RUN_DIR/steps"); fi
  printf '%s' "${last#* }"
}

# same_step TEXT: begins a step, unless it is the present one already.
same_step() {
  if [ "$(present_step)" != "$*" ]; then step "$@"; fi
}

# problem TEXT: what keeps the present step from ending.
problem() {
  log "$*"
  printf '%s' "$*" > "$RUN_DIR/error.$PROGRAM"
}

# fail TEXT: ends an attempt (see retry), or the program, for a reason worth telling.
fail() {
  trap - ERR
  printf '%s' "$*" > "$FAILURE"
  exit 1
}

# on_error: keeps the command that failed, unless the reason is known already. Its text, not its values: no secret can be in it.
on_error() {
  local code=$?
  if [ -e "$FAILURE" ]; then return; fi
  printf '%s (line %s, exit status %s)' "$BASH_COMMAND" "${BASH_LINENO[0]}" "$code" > "$FAILURE"
}

# failure: why the last attempt, or the program, failed.
failure() {
  cat "$FAILURE" 2> /dev/null || printf 'for an unknown reason'
}

# summary OUTPUT: the lines that say what is wrong, as one, short enough for a status object.
summary() {
  local wrong
  wrong=$(grep -iE 'error|invalid|denied|refused|not found|no matches|failed|unable|cannot' <<< "$1" || tail -n 3 <<< "$1")
  tr '\n' ' ' <<< "$wrong" | cut -c 1-600
}

# attempt COMMAND [ARGUMENT...]: runs it in a subshell that ends at the first error, and leaves its exit status in ATTEMPT. Not to be
# called in a condition: there bash would go on after errors.
attempt() {
  FAILURE=$RUN_DIR/failure.$BASHPID
  rm -f "$FAILURE"
  trap - ERR
  set +e
  (
    trap on_error ERR
    set -e
    "$@"
  )
  ATTEMPT=$?
  set -e
  trap on_error ERR
}

# retry COMMAND [ARGUMENT...]: attempts it until it succeeds, with growing pauses. Not to be called in a condition either.
retry() {
  local pause=1
  while true; do
    attempt "$@"
    if [ "$ATTEMPT" -eq 0 ]; then return; fi
    problem "$1: $(failure); again in $pause s"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
}

# wait_for NAME COMMAND [ARGUMENT...]: asks until the command succeeds, every second for two minutes, then every five; says every half
# minute what it waits for.
wait_for() {
  local name=$1 begin=$SECONDS told=0 waited
  shift
  until "$@"; do
    waited=$((SECONDS - begin))
    if ((waited >= told + 30)); then
      told=$waited
      problem "waiting for $name since $told s"
    fi
    sleep "$((waited < 120 ? 1 : 5))"
  done
}

# json_text TEXT: a JSON string.
json_text() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}

# steps_json: the steps of this boot and how long each took; the present one has no end yet.
steps_json() {
  local start text next next_text separator=''
  read -r start text || true
  while [ -n "$start" ]; do
    next='' next_text=''
    read -r next next_text || true
    printf '%s{"step": %s, "since": "%s", "seconds": %s}' "$separator" "$(json_text "$text")" \
      "$(time_of "$((start / 1000))")" "$(elapsed "$start" "$next")"
    separator=', ' start=$next text=$next_text
  done
}

# elapsed FROM TO: seconds with a fraction between two times in milliseconds; null without an end.
elapsed() {
  if [ -z "$2" ]; then
    printf null
  else
    printf '%d.%03d' "$((($2 - $1) / 1000))" "$((($2 - $1) % 1000))"
  fi
}

# status_json: the status object of this node.
status_json() {
  local error=null
  if [ -e "$RUN_DIR/error.$PROGRAM" ]; then error=$(json_text "$(< "$RUN_DIR/error.$PROGRAM")"); fi
  printf '{"instance": %s, "role": %s, "group": %s, "step": %s, "since": %s, "error": %s, "steps": [%s]}\n' \
    "$(json_text "$INSTANCE_ID")" "$(json_text "$ROLE")" "$(json_text "$GROUP")" "$(json_text "$(present_step)")" \
    "$(json_text "$(< "$RUN_DIR/since")")" "$error" "$(steps_json < "$RUN_DIR/steps")"
}

# publish_status: writes the status object when it is another than the last one.
publish_status() {
  local status
  status=$(status_json) || return
  if [ -e "$RUN_DIR/published" ] && [ "$status" = "$(< "$RUN_DIR/published")" ]; then return; fi
  printf '%s\n' "$status" | s3_put "nodes/status/$INSTANCE_ID.json" || return
  printf '%s' "$status" > "$RUN_DIR/published"
}

# publish_in_background: keeps the status object up to date without holding anything up.
publish_in_background() {
  while sleep 3; do publish_status || true; done &
  PUBLISHER=$!
  trap 'end_of_program $?' EXIT
}

# end_of_program CODE: a last word, whatever the end.
end_of_program() {
  kill "$PUBLISHER" 2> /dev/null || true
  if [ "$1" -ne 0 ]; then problem "ended: $(failure)"; fi
  publish_status || true
}
