# shellcheck shell=bash
# Processes of the lab: each start leaves a record "pid start-time boot-id", so a recycled pid is never mistaken for ours.

# start_process HOST NAME COMMAND…: runs the command inside the host, detached, with a log and a record.
start_process() {
  local host=$1 name=$2 directory
  shift 2
  directory=$(host_directory "$host")
  # Descriptor 9 is the lab's lock, 3 that of a caller under flock(1): a daemon that kept one would hold it for ever.
  setsid nsenter "--target=$(holder_pid "$host")" --mount --uts --net --root --wd -- "$@" \
    </dev/null >>"$directory/log/$name.log" 2>&1 3>&- 9>&- &
  record_process "$host" "$name" "$!"
}

record_process() {
  local host=$1 name=$2 pid=$3
  printf '%s %s %s\n' "$pid" "$(start_time "$pid")" "$(</proc/sys/kernel/random/boot_id)" \
    > "$(host_directory "$host")/pid/$name"
}

# Prints the pid of a recorded process if that very process still runs.
find_process() {
  local file pid started boot
  file="$(host_directory "$1")/pid/$2"
  [[ -r $file ]] || return 1
  read -r pid started boot < "$file" || return 1
  [[ $boot == "$(</proc/sys/kernel/random/boot_id)" && -n $started ]] || return 1
  [[ $(start_time "$pid") == "$started" ]] || return 1
  printf '%s\n' "$pid"
}

# Clock ticks from boot to the start of a process; empty when it is gone or a zombie.
start_time() {
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  read -ra fields <<<"${stat##*) }"
  if [[ ${fields[0]} != Z ]]; then printf '%s\n' "${fields[19]}"; fi
}

# stop_process HOST NAME SECONDS: asks, waits, then forces. A stopped (SIGSTOP) process is continued so that it can obey.
stop_process() {
  local host=$1 name=$2 seconds=$3 pid
  if pid=$(find_process "$host" "$name"); then
    kill -TERM "$pid" 2>/dev/null || true
    kill -CONT "$pid" 2>/dev/null || true
    if ! wait_for "$seconds" "$name of $host to end" process_gone "$host" "$name"; then
      kill -KILL "$pid" 2>/dev/null || true
      wait_for 10 "$name of $host to die" process_gone "$host" "$name"
    fi
  fi
  rm -f -- "$(host_directory "$host")/pid/$name"
}

process_gone() {
  ! find_process "$1" "$2" >/dev/null
}

# Every process inside the host's network namespace: daemons, QEMUs, ssh sessions and what they started.
host_pids() {
  local inode link
  inode=$(stat -L -c %i "$(network_pin "$1")" 2>/dev/null) || return 0
  [[ $(stat -f -c %T "$(network_pin "$1")") == nsfs ]] || return 0
  for link in /proc/[0-9]*/ns/net; do
    if [[ $(readlink "$link" 2>/dev/null) == "net:[$inode]" ]]; then link=${link#/proc/}; printf '%s\n' "${link%%/*}"; fi
  done
}
