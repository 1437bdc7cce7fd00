# shellcheck shell=bash
# What the operator sees: one line per step on stderr, and bounded waits.

# One line of progress with the seconds since the command began.
step() {
  printf '%6.1f s  %s\n' "$(elapsed)" "$*" >&2
}

elapsed() {
  local now=${EPOCHREALTIME/[.,]/}
  printf '%d.%03d' $(((now - LAB_STARTED) / 1000000)) $(((now - LAB_STARTED) / 1000 % 1000))
}

# Ends the command: what failed, and a hint when someone can act.
die() {
  printf 'lab: %s\n' "$1" >&2
  if [[ -n ${2:-} ]]; then printf 'lab: hint: %s\n' "$2" >&2; fi
  exit 1
}

# wait_for SECONDS WHAT COMMAND…: tries the command every 50 ms; says which wait ended in vain.
wait_for() {
  local seconds=$1 what=$2 deadline
  shift 2
  deadline=$((${EPOCHREALTIME/[.,]/} + seconds * 1000000))
  until "$@" >/dev/null 2>&1; do
    if ((${EPOCHREALTIME/[.,]/} > deadline)); then
      printf 'lab: Gave up after %s s waiting for %s\n' "$seconds" "$what" >&2
      return 1
    fi
    sleep 0.05
  done
}

# Replaces (or adds) the lab's block in a text file by stdin; an empty stdin removes it. Written in place, because
# /etc/hosts may be a bind mount, which cannot be renamed over.
put_block() {
  local file=$1 block before after
  block=$(cat)
  before=$(cat "$file" 2>/dev/null || true)
  after=$(sed "/^$BLOCK_BEGIN\$/,/^$BLOCK_END\$/d" <<<"$before")
  if [[ -n $block ]]; then after+=$'\n'"$BLOCK_BEGIN"$'\n'"$block"$'\n'"$BLOCK_END"; fi
  if [[ $after == "$before" ]]; then return 0; fi
  printf '%s\n' "${after#$'\n'}" > "$file"
}
