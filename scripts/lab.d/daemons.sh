# shellcheck shell=bash
# The daemons of a host: virtlogd, virtlockd, libvirtd and sshd, each in the foreground of its own session.

# Starts what does not run yet; await_daemons waits for it, so that two hosts start side by side.
start_daemons() {
  local host=$1
  write_libvirt_configuration "$host"
  start_daemon "$host" virtlogd virtlogd -p /run/libvirt/virtlogd.pid
  start_daemon "$host" virtlockd virtlockd -p /run/libvirt/virtlockd.pid
  start_daemon "$host" sshd "$(command -v sshd)" -D -e -f "$(host_directory "$host")/ssh/sshd_config"
  wait_for 10 "virtlogd of $host" enter_host "$host" test -S /run/libvirt/virtlogd-sock
  start_libvirtd "$host"
}

await_daemons() {
  local host=$1
  wait_for 20 "ssh of $host" as_oneadmin ssh "$host" true
  wait_for 60 "libvirtd of $host" libvirt_answers "$host" 30
}

start_daemon() {
  local host=$1 name=$2
  shift 2
  if find_process "$host" "$name" >/dev/null; then return 0; fi
  step "$host: starting $name"
  start_process "$host" "$name" "$@"
}

# --listen, because listen_tcp is ignored without it when nobody hands over sockets. The record is of libvirtd, not of
# the reaper above it, which lives as long as the last QEMU.
start_libvirtd() {
  local host=$1
  if find_process "$host" libvirtd >/dev/null; then return 0; fi
  step "$host: starting libvirtd"
  enter_host "$host" rm -f /run/libvirt/libvirtd.pid
  start_process "$host" reaper perl "$LAB_PARTS/reaper.pl" libvirtd --listen -p /run/libvirt/libvirtd.pid
  wait_for 20 "libvirtd of $host to start" record_libvirtd "$host"
}

record_libvirtd() {
  local pid
  pid=$(enter_host "$1" cat /run/libvirt/libvirtd.pid)
  [[ -n $pid && -n $(start_time "$pid") ]] && record_process "$1" libvirtd "$pid"
}

stop_libvirtd() {
  step "$1: stopping libvirtd"
  stop_process "$1" libvirtd 20
}

libvirt_answers() {
  timeout "$2" "$LAB_PROGRAM" virsh "$1" version >/dev/null 2>&1
}

# host_virsh HOST WORD…: virsh as oneadmin on the host's own socket.
host_virsh() {
  local host=$1
  shift
  enter_host_as_oneadmin "$host" virsh -q -c qemu:///system "$@"
}

write_libvirt_configuration() {
  local host=$1 directory uuid extra=''
  directory="$(host_directory "$host")/root/etc/libvirt"
  uuid=$(host_uuid "$host")
  # One cgroup v1 tree serves both daemons, and both would name their first domain's group alike.
  if [[ $host == hostb ]]; then extra='cgroup_controllers = [ ]'; fi
  cat > "$directory/libvirtd.conf" <<END
listen_tls = 0
listen_tcp = 1
listen_addr = "0.0.0.0"
auth_tcp = "none"
unix_sock_group = "oneadmin"
unix_sock_ro_perms = "0770"
unix_sock_rw_perms = "0770"
auth_unix_ro = "none"
auth_unix_rw = "none"
max_clients = 500
max_anonymous_clients = 200
host_uuid = "$uuid"
END
  cat > "$directory/qemu.conf" <<END
user = "oneadmin"
group = "oneadmin"
swtpm_user = "oneadmin"
swtpm_group = "oneadmin"
dynamic_ownership = 0
security_driver = "none"
$extra
END
}

# Without a host_uuid of its own a second libvirtd on the machine says "Attempt to migrate guest to the same host".
host_uuid() {
  case $1 in
    hosta) echo 98690000-0000-4000-8000-00000000000a ;;
    hostb) echo 98690000-0000-4000-8000-00000000000b ;;
  esac
}

write_sshd_configuration() {
  local host=$1 ssh
  ssh="$(host_directory "$host")/ssh"
  [[ -f $ssh/host_ed25519 ]] || ssh-keygen -q -t ed25519 -N '' -C "root@$host" -f "$ssh/host_ed25519"
  cat > "$ssh/sshd_config" <<END
Port 22
ListenAddress $(host_address "$host")
HostKey $ssh/host_ed25519
PidFile none
AllowUsers oneadmin
AuthorizedKeysFile .ssh/authorized_keys
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
MaxStartups 100:30:200
MaxSessions 100
Subsystem sftp internal-sftp
END
}
