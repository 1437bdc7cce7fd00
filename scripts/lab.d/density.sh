# shellcheck shell=bash
# Many domains at once: boot sector guests that halt, to measure monitoring on a full host.

DENSITY_FIRST=2001

set_density() {
  local host=${1:-} wanted=${2:-}
  [[ -n $host && $wanted =~ ^[0-9]+$ ]] || die "Cannot set the density" "scripts/lab density HOST N"
  check_host "$host"
  libvirt_answers "$host" 30 || die "Cannot set the density: libvirtd of $host does not answer" "scripts/lab restart $host"
  local guest name
  guest=$(find_guest) || guest=$(build_guest_once)
  local -A running=()
  while read -r name; do
    if [[ -n $name ]]; then running[$name]=yes; fi
  done < <(host_virsh "$host" list --name --state-running)

  local id surplus=() missing=()
  for name in "${!running[@]}"; do
    if [[ $name =~ ^one-([0-9]+)$ ]]; then id=${BASH_REMATCH[1]}; else continue; fi
    if is_density_id "$host" "$id" && ((id >= DENSITY_FIRST + wanted)); then surplus+=("$id"); fi
  done
  for ((id = DENSITY_FIRST; id < DENSITY_FIRST + wanted; id++)); do
    [[ -n ${running[one-$id]:-} ]] || missing+=("$id")
  done
  step "$host: $wanted density guests wanted, ${#missing[@]} to create, ${#surplus[@]} to destroy"
  local script
  script=$(density_directory "$host")/commands
  install -d -m 0755 "$(density_directory "$host")"
  {
    for id in ${surplus[@]+"${surplus[@]}"}; do echo "destroy one-$id"; done
    for id in ${missing[@]+"${missing[@]}"}; do
      write_density_guest "$host" "$id" "$guest"
      echo "create $(density_directory "$host")/$id/deployment.0"
    done
  } > "$script"
  # Creating costs CPU, destroying mostly waiting: four at a time do for both.
  split -n r/4 "$script" "$script."
  local part pids=()
  for part in "$script".a?; do
    if [[ -s $part ]]; then host_virsh "$host" < "$part" >/dev/null & pids+=("$!"); fi
  done
  # Whether it worked is counted below.
  for part in ${pids[@]+"${pids[@]}"}; do wait "$part" || true; done
  rm -f -- "$script"*
  for id in ${surplus[@]+"${surplus[@]}"}; do rm -rf -- "$(density_directory "$host")/${id:?}"; done
  check_density "$host" "$wanted" || die "Cannot reach $wanted density guests on $host" "see the messages of virsh above"
  step "$host: $wanted density guests run"
}

density_directory() { printf '%s/density\n' "$(host_directory "$1")"; }

# A domain in the number range that somebody else created is not ours to destroy.
is_density_id() {
  (($2 >= DENSITY_FIRST)) && [[ -d $(density_directory "$1")/$2 ]]
}

check_density() {
  local count
  count=$(host_virsh "$1" list --name --state-running |
    awk -F- -v first="$DENSITY_FIRST" -v last="$((DENSITY_FIRST + $2))" \
      '$1 == "one" && $2 >= first && $2 < last { count++ } END { print count + 0 }')
  ((count == $2))
}

# Own disk and deployment file per guest, below the host's directory: both hosts may have a one-2001.
write_density_guest() {
  local host=$1 id=$2 guest=$3 directory name="one-$2"
  directory="$(density_directory "$host")/$id"
  install -d -m 0755 -o oneadmin -g oneadmin "$directory"
  install -m 0660 -o oneadmin -g oneadmin "$guest/density.raw" "$directory/disk.0"
  cat > "$directory/deployment.0" <<END
<domain type='qemu'>
  <name>$name</name>
  <uuid>$(uuid_of "$host $name")</uuid>
  <memory unit='MiB'>16</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='$directory/disk.0'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='bridge'>
      <source bridge='$GUEST_BRIDGE'/>
      <mac address='$(mac_of "$host $name")'/>
      <target dev='$name-0'/>
      <model type='virtio'/>
    </interface>
  </devices>
  <metadata>
    <one:vm xmlns:one="http://opennebula.org/xmlns/libvirt/1.0">
      <one:system_datastore><![CDATA[$directory]]></one:system_datastore>
      <one:name><![CDATA[$name]]></one:name>
      <one:opennebula_version>7.4.0</one:opennebula_version>
    </one:vm>
  </metadata>
</domain>
END
}
