# shellcheck shell=bash
# A host: network, mount and uts namespaces kept by one sleeping process, with private copies of the host's directories.

# Paths every host replaces by its own directory below the lab's root, with owner and mode.
HOST_MOUNTS=(
  '/etc/libvirt root 0755'
  '/var/lib/libvirt root 0755'
  '/var/cache/libvirt root 0755'
  '/var/log/libvirt root 0755'
  '/var/tmp/one oneadmin 0755'
  '/var/tmp/one_db oneadmin 0755'
  '/var/lib/swtpm-localca oneadmin 0750'
)
CHECKOUT_MOUNT=/srv/onevirt

host_directory() { printf '%s/host/%s\n' "$LAB_ROOT" "$1"; }
network_pin() { printf '%s/host/%s/netns\n' "$LAB_ROOT" "$1"; }
holder_pid() { find_process "$1" holder; }

check_host() {
  [[ $1 == hosta || $1 == hostb ]] || die "Cannot find host \"$1\"" "hosts are hosta and hostb"
  holder_pid "$1" >/dev/null || die "Cannot use $1: it is not up" "run: scripts/lab up"
}

# enter_host HOST COMMAND…: as root inside the host's namespaces.
enter_host() {
  local host=$1 pid
  shift
  pid=$(holder_pid "$host") || die "Cannot enter $host: it is not up" "run: scripts/lab up"
  nsenter "--target=$pid" --mount --uts --net --root --wd -- "$@" 9>&-
}

# enter_host_as_oneadmin HOST COMMAND…: the same as oneadmin, without ssh in between.
enter_host_as_oneadmin() {
  local host=$1
  shift
  enter_host "$host" setpriv --reuid=oneadmin --regid=oneadmin --init-groups --reset-env -- "$@"
}

create_host() {
  local host=$1 directory
  directory=$(host_directory "$host")
  step "$host: namespaces, mounts, network"
  remove_host "$host"
  install -d -m 0755 "$directory" "$directory"/{log,pid,ssh}
  fill_host_directories "$directory"

  # Commands that enter take over its root and its working directory, so that must be a place inside.
  (cd / && exec setsid unshare --net --mount --uts --propagation private -- sleep infinity) \
    </dev/null >/dev/null 2>&1 3>&- 9>&- &
  local pid=$!
  wait_for 10 "namespaces of $host" holder_ready "$pid"
  record_process "$host" holder "$pid"
  # The pin keeps the namespace's number ours even when all its processes were killed by somebody else.
  touch "$(network_pin "$host")"
  mount --bind "/proc/$pid/ns/net" "$(network_pin "$host")"
  mount_host "$host"
  plug_host "$host"
}

# unshare has become sleep, so all namespaces exist.
holder_ready() {
  [[ $(<"/proc/$1/comm") == sleep ]]
}

fill_host_directories() {
  local directory=$1 entry path owner mode
  for entry in "${HOST_MOUNTS[@]}"; do
    read -r path owner mode <<<"$entry"
    install -d -m "$mode" -o "$owner" -g "$owner" "$directory/root$path"
    make_place "$path"
  done
  for path in /run/libvirt /run/one /run/sshd "$CHECKOUT_MOUNT"; do make_place "$path"; done
  # libvirt makes these for its domains, and leaves them behind.
  for path in /sys/fs/cgroup/*/; do
    if [[ -w $path && ! -e ${path}machine ]]; then printf '%s\n' "${path}machine" >> "$LAB_ROOT/places"; fi
  done
  # The emulator that OpenNebula's node package makes and every deployment file names.
  if [[ ! -e /usr/bin/qemu-kvm-one ]]; then
    ln -sf qemu-system-x86_64 /usr/bin/qemu-kvm-one
    printf '%s\n' /usr/bin/qemu-kvm-one >> "$LAB_ROOT/places"
  fi
  cp -a /etc/libvirt/. "$directory/root/etc/libvirt/"
  # Networks and domains of this machine are not the lab's.
  rm -rf -- "$directory/root/etc/libvirt/qemu" "$directory/root/etc/libvirt/storage" "$directory/root/etc/libvirt/secrets"
}

mount_host() {
  local host=$1 directory
  directory=$(host_directory "$host")
  enter_host "$host" bash "$LAB_PARTS/host-mounts" "$host" "$directory" "$LAB_CHECKOUT" "$CHECKOUT_MOUNT" \
    "${HOST_MOUNTS[@]%% *}"
  printf '%s\n' "$LAB_CHECKOUT" > "$directory/checkout"
}

# Another checkout ran up: its hosts must see that one.
remount_checkout() {
  local host=$1 directory
  directory=$(host_directory "$host")
  if [[ $(cat "$directory/checkout" 2>/dev/null) == "$LAB_CHECKOUT" ]]; then return 0; fi
  step "$host: $CHECKOUT_MOUNT is now $LAB_CHECKOUT"
  enter_host "$host" umount -l "$CHECKOUT_MOUNT"
  enter_host "$host" mount --bind "$LAB_CHECKOUT" "$CHECKOUT_MOUNT"
  enter_host "$host" mount -o remount,bind,ro "$CHECKOUT_MOUNT"
  printf '%s\n' "$LAB_CHECKOUT" > "$directory/checkout"
}

# Ends everything inside the host, then the host, then its files. Safe on a host that is half there, or not at all.
remove_host() {
  local host=$1 directory pids
  directory=$(host_directory "$host")
  mapfile -t pids < <(host_pids "$host")
  if ((${#pids[@]})); then
    kill -TERM "${pids[@]}" 2>/dev/null || true
    kill -CONT "${pids[@]}" 2>/dev/null || true
    if ! wait_for 5 "processes of $host to end" host_empty "$host" 2>/dev/null; then
      mapfile -t pids < <(host_pids "$host")
      ((${#pids[@]} == 0)) || kill -KILL "${pids[@]}" 2>/dev/null || true
      wait_for 10 "processes of $host to die" host_empty "$host"
    fi
  fi
  ip link delete dev "onelab-$host" 2>/dev/null || true
  while umount "$(network_pin "$host")" 2>/dev/null; do :; done
  rm -rf --one-file-system -- "$directory"
}

host_empty() {
  [[ -z $(host_pids "$1") ]]
}

# A directory the lab needs in the root namespace as a mount point; down removes those that the lab made.
make_place() {
  if [[ -d $1 ]]; then return 0; fi
  install -d -m 0755 "$1"
  printf '%s\n' "$1" >> "$LAB_ROOT/places"
}

remove_places() {
  local place
  [[ -f $LAB_ROOT/places ]] || return 0
  while read -r place; do
    # Groups of domains that libvirt could not clean up; the kernel refuses to remove a group that is in use.
    if [[ $place == /sys/fs/cgroup/*/machine && -d $place ]]; then
      find "$place" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
    fi
    if [[ -L $place ]]; then rm -f -- "$place"; continue; fi
    rmdir -- "$place" 2>/dev/null || [[ ! -e $place ]] || step "down: keeping $place, it is not empty"
  done < <(tac "$LAB_ROOT/places")
  rm -f -- "$LAB_ROOT/places"
}
