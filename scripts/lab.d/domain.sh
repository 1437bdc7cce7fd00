# shellcheck shell=bash
# The document of a Linux guest, as oned would write it for VM N named one-N.

domain_usage='domain NAME [--uuid U] [--vm-dir DIR] [--touch] [--memory MiB] [--max-memory MiB] [--vcpus N] [--max-vcpus N] [--machine TYPE]'

print_domain() {
  local name=${1:-} uuid='' directory='' touch='' memory=192 max_memory='' vcpus=1 max_vcpus='' machine=q35
  [[ -n $name && $name != -* ]] || die "Cannot write a domain without a name" "scripts/lab $domain_usage"
  shift
  while (($#)); do
    case $1 in
      --touch) touch=' onevirt.touch=1'; shift; continue ;;
      --uuid | --vm-dir | --memory | --max-memory | --vcpus | --max-vcpus | --machine) ;;
      *) die "Cannot understand \"$1\"" "scripts/lab $domain_usage" ;;
    esac
    (($# > 1)) || die "Cannot find the value of $1" "scripts/lab $domain_usage"
    case $1 in
      --uuid) uuid=$2 ;;
      --vm-dir) directory=$2 ;;
      --memory) memory=$2 ;;
      --max-memory) max_memory=$2 ;;
      --vcpus) vcpus=$2 ;;
      --max-vcpus) max_vcpus=$2 ;;
      --machine) machine=$2 ;;
    esac
    shift 2
  done
  : "${uuid:=$(uuid_of "$name")}" "${directory:=$ACCOUNT_HOME/datastores/0/${name#one-}}" "${max_vcpus:=$vcpus}"
  local guest
  guest=$(find_guest) || guest=$(build_guest_once)
  make_vm_directory "$directory"
  domain_document
}

# The same name always gets the same uuid and MAC address, so that a document can be written twice.
uuid_of() {
  local hash
  hash=$(sha256sum <<<"$1")
  printf '%s-%s-4%s-8%s-%s\n' "${hash:0:8}" "${hash:8:4}" "${hash:13:3}" "${hash:17:3}" "${hash:20:12}"
}

mac_of() {
  local hash
  hash=$(sha256sum <<<"$1")
  printf '02:00:%s:%s:%s:%s\n' "${hash:0:2}" "${hash:2:2}" "${hash:4:2}" "${hash:6:2}"
}

# What the TM driver leaves behind: the VM directory with its disk, owned by oneadmin.
make_vm_directory() {
  local directory=$1
  as_oneadmin mkdir -p -- "$directory" || die "Cannot create $directory as oneadmin" "choose a --vm-dir oneadmin may write"
  [[ -e $directory/disk.0 ]] || as_oneadmin qemu-img create -q -f qcow2 "$directory/disk.0" 32M
  # virtlogd creates it as root, unreadable for the tests, but appends to what is there.
  touch "$directory/console.log"
  chown oneadmin:oneadmin "$directory/console.log"
  chmod 0644 "$directory/console.log"
}

xml() {
  sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e "s/'/\&apos;/g" <<<"$1"
}

# Reads the variables of print_domain.
domain_document() {
  local max='' cpu='' vm
  vm=$(xml "$directory")
  if [[ -n $max_memory ]]; then
    max="<maxMemory slots='16' unit='MiB'>$max_memory</maxMemory>"
    cpu="<cpu><numa><cell id='0' cpus='0-$((max_vcpus - 1))' memory='$memory' unit='MiB'/></numa></cpu>"
  fi
  cat <<END
<domain type='qemu'>
  <name>$(xml "$name")</name>
  <uuid>$uuid</uuid>
  $max
  <memory unit='MiB'>$memory</memory>
  <vcpu current='$vcpus'>$max_vcpus</vcpu>
  <os>
    <type arch='x86_64' machine='$machine'>hvm</type>
    <kernel>$guest/vmlinuz</kernel>
    <initrd>$guest/initrd.gz</initrd>
    <cmdline>$GUEST_CMDLINE$touch</cmdline>
  </os>
  <features><acpi/></features>
  $cpu
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' discard='unmap'/>
      <source file='$vm/disk.0'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <controller type='scsi' index='0' model='virtio-scsi'/>
$(root_ports)
    <interface type='bridge'>
      <source bridge='$GUEST_BRIDGE'/>
      <mac address='$(mac_of "$name")'/>
      <target dev='$(interface_of "$name")'/>
      <model type='virtio'/>
    </interface>
    <serial type='file'>
      <source path='$vm/console.log' append='on'/>
      <target port='0'/>
    </serial>
    <channel type='unix'>
      <source mode='bind'/>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
  </devices>
  <metadata>
    <one:vm xmlns:one="http://opennebula.org/xmlns/libvirt/1.0">
      <one:system_datastore><![CDATA[$directory]]></one:system_datastore>
      <one:name><![CDATA[$name]]></one:name>
      <one:uname><![CDATA[oneadmin]]></one:uname>
      <one:uid>0</one:uid>
      <one:gname><![CDATA[oneadmin]]></one:gname>
      <one:gid>0</one:gid>
      <one:opennebula_version>7.4.0</one:opennebula_version>
      <one:stime>1700000000</one:stime>
      <one:deployment_time>1700000000</one:deployment_time>
    </one:vm>
  </metadata>
</domain>
END
}

# A PCIe machine can plug devices only into ports that exist at start; five are taken by the devices above.
root_ports() {
  local index
  [[ $machine == *q35* ]] || return 0
  echo "    <controller type='pci' index='0' model='pcie-root'/>"
  for ((index = 1; index <= 11; index++)); do
    echo "    <controller type='pci' index='$index' model='pcie-root-port'/>"
  done
}

# OpenNebula names the interface of NIC 0 "one-N-0"; the kernel allows 15 bytes.
interface_of() {
  local interface="$1-0"
  if ((${#interface} > 15)); then interface="one$(sha256sum <<<"$1" | cut -c1-8)-0"; fi
  printf '%s\n' "$interface"
}
