# shellcheck shell=bash
# The remotes tree: a false packaged one to install into, and the copying that "onehost sync" does.

TREE_ACTIONS=(
  attach_disk attach_nic cancel deploy detach_disk detach_nic migrate migrate_local prereconfigure reboot reconfigure
  reset resize resize_disk restore save shutdown snapshot_create snapshot_delete snapshot_revert
)

# Fills DIR with a tree laid out as the packages lay it out, whose scripts only say what they are.
make_tree() {
  local tree=${1:-} action
  [[ -n $tree ]] || die "Cannot build a tree without a directory" "scripts/lab tree DIR"
  mkdir -p -- "$tree"
  tree=$(readlink -f -- "$tree")
  mkdir -p -- "$tree"/{etc/vmm/kvm,vmm/kvm,vmm/lib,im/kvm.d,im/lib} "$tree"/im/kvm-probes.d/host/{beacon,monitor,system}
  mkdir -p -- "$tree"/im/kvm-probes.d/vm/{monitor,status,execution,snapshot} "$tree"/{tm,datastore,vnm}/placeholder
  echo '7.4.0' > "$tree/VERSION"
  echo 'CE' > "$tree/EDITION"
  for action in "${TREE_ACTIONS[@]}"; do write_placeholder "$tree/vmm/kvm/$action" "action $action"; done
  write_placeholder "$tree/im/kvm-probes.d/host/system/placeholder.sh" 'probe of host system'
  write_placeholder "$tree/im/run_monitord_client" 'entry run_monitord_client'
  write_placeholder "$tree/im/stop_monitord_client" 'entry stop_monitord_client'
  write_placeholder "$tree/tm/placeholder/clone" 'another driver'
  write_shell_library > "$tree/scripts_common.sh"
  write_kvmrc > "$tree/etc/vmm/kvm/kvmrc"

  find "$tree" -type d -exec chmod 0750 {} +
  find "$tree" -type f -exec chmod 0640 {} +
  find "$tree/vmm/kvm" "$tree/im" "$tree/tm" -type f -exec chmod 0750 {} +
  chown -R oneadmin:oneadmin "$tree"
  step "tree: packaged 7.4.0 placeholder in $tree"
}

write_placeholder() {
  printf '#!/bin/bash\necho "packaged placeholder: %s" "$@"\n' "$2" > "$1"
}

write_shell_library() {
  cat <<'END'
# Stand-in for the shell library of the packages: the names other drivers expect, with the least that works.
export LANG=C
export PATH=/bin:/sbin:/usr/bin:/usr/sbin:$PATH
log_error() { echo "ERROR: $(basename -- "$0"): $1" >&2; }
error_message() { printf 'ERROR MESSAGE --8<------\n%s\nERROR MESSAGE ------>8--\n' "$1" >&2; }
END
}

# The variables of 7.4 with the values the packages ship; what they ship commented out stays commented out.
write_kvmrc() {
  cat <<'END'
export LANG=C
export LIBVIRT_URI=qemu:///system
export QEMU_PROTOCOL=qemu+ssh
export LIBVIRT_MD_URI=http://opennebula.org/xmlns/libvirt/1.0
export LIBVIRT_MD_KEY=one
export SHUTDOWN_TIMEOUT=180
export FORCE_DESTROY=yes
#CANCEL_NO_ACPI=yes
export SYNC_TIME=yes
export VIRSH_RETRIES=3
export VIRSH_TIMEOUT=60
#CLEANUP_MEMORY_ON_START=yes
CLEANUP_MEMORY_ON_STOP=no
DEFAULT_ATTACH_CACHE=none
DEFAULT_ATTACH_DISCARD=unmap
#DEFAULT_ATTACH_IO=
#DEFAULT_ATTACH_VIRTIO_BLK_QUEUES=
#DEFAULT_ATTACH_VIRTIO_BLK_IOTHREAD=
#DEFAULT_ATTACH_TOTAL_BYTES_SEC=
#DEFAULT_ATTACH_TOTAL_IOPS_SEC=
#DEFAULT_ATTACH_SIZE_IOPS_SEC=
DEFAULT_ATTACH_NIC_MODEL=virtio
#DEFAULT_ATTACH_NIC_FILTER=clean-traffic
#MIGRATE_OPTIONS=--unsafe
VIRTIOFSD_BINARY_PATH="/usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd /usr/lib/virtiofsd/virtiofsd"
OVMF_NVRAM="/usr/share/OVMF/OVMF_VARS.fd"
END
}

# sync_tree HOST [TREE]: the two command lines of "onehost sync", each a string for a local sh, run by oneadmin.
sync_tree() {
  local host=${1:-} tree=${2:-$ACCOUNT_HOME/remotes} first second status=0
  [[ -n $host ]] || die "Cannot sync without a host" "scripts/lab sync HOST [TREE]"
  check_host "$host"
  as_oneadmin test -r "$tree/VERSION" || die "Cannot sync $tree: oneadmin finds no VERSION in it" "scripts/lab tree $tree"
  # The ";" that keeps mkdir on this side is the original's.
  first="ssh -n  $host exec 2>/dev/null; mkdir -p '/var/tmp/one'/"
  second="exec 2>/dev/null; cd '$tree'/ && rsync -LRaz --delete . '$host':'/var/tmp/one'/"
  printf '%s\n' "$first"
  as_oneadmin sh -c "$first" || status=$?
  printf 'exit code %s\n%s\n' "$status" "$second"
  status=0
  as_oneadmin sh -c "$second" || status=$?
  printf 'exit code %s\n' "$status"
  return "$status"
}
