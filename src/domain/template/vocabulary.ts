/** Names that may end in anything. */
export type Names = { readonly keys: ReadonlySet<string>; readonly prefixes?: readonly string[]; readonly open?: true };

function names(text: string, prefixes: readonly string[] = []): Names {
  return { keys: new Set(text.trim().split(/\s+/)), prefixes };
}

const THROTTLING = ["TOTAL", "READ", "WRITE"].flatMap((who) => ["BYTES", "IOPS"].flatMap((what) => ["", "_MAX", "_MAX_LENGTH"].map((suffix) => `${who}_${what}_SEC${suffix}`))).join(" ");

const NIC = `NETWORK NETWORK_ID NETWORK_UID NETWORK_UNAME NETWORK_MODE NAME NIC_ID IP IP6 IP6_GLOBAL IP6_ULA IP6_LINK MAC BRIDGE BRIDGE_TYPE TARGET SCRIPT MODEL FILTER
  VIRTIO_QUEUES ORDER INBOUND_AVG_BW INBOUND_PEAK_BW INBOUND_PEAK_KB OUTBOUND_AVG_BW OUTBOUND_PEAK_BW OUTBOUND_PEAK_KB SECURITY_GROUPS SCHED_REQUIREMENTS SCHED_RANK
  VROUTER_IP VROUTER_IP6 VROUTER_MANAGEMENT FLOATING_IP FLOATING_ONLY RDP SSH EXTERNAL GATEWAY GATEWAY6 DNS SEARCH_DOMAIN METHOD IP6_METHOD METRIC IP6_METRIC MTU GUEST_MTU
  NETWORK_ADDRESS NETWORK_MASK VLAN_ID OUTER_VLAN_ID VLAN_TAGGED_ID AUTOMATIC_VLAN_ID VN_MAD PHYDEV AR_ID CLUSTER_ID IPAM_MAD IP6_PREFIX_LENGTH ROUTES FILTER_IP_SPOOFING FILTER_MAC_SPOOFING CONF`;

/** Keys of each vector that a VM template may hold. */
export const VECTORS: Readonly<Record<string, Names>> = {
  OS: names("ARCH MACHINE KERNEL INITRD KERNEL_DS INITRD_DS KERNEL_CMD ROOT BOOTLOADER BOOT SD_DISK_BUS UUID FIRMWARE FIRMWARE_FORMAT FIRMWARE_SECURE"),
  FEATURES: names("PAE ACPI APIC LOCALTIME HYPERV GUEST_AGENT VIRTIO_SCSI_QUEUES VIRTIO_BLK_QUEUES IOTHREADS GIC RAS PCIHOLE64", ["MIGRATE_"]),
  CPU_MODEL: names("MODEL FEATURES"),
  TOPOLOGY: names("PIN_POLICY SOCKETS CORES THREADS NUMA_NODES NODE_AFFINITY HUGEPAGE_SIZE MEMORY_ACCESS"),
  NUMA_NODE: names("TOTAL_CPUS MEMORY DISTANCE CPUS NODE_ID MEMORY_NODE_ID"),
  DISK: names(`IMAGE IMAGE_ID IMAGE_UID IMAGE_UNAME IMAGE_STATE DISK_ID DEV_PREFIX TARGET DRIVER FORMAT CACHE IO DISCARD READONLY SHAREABLE SAVE CLONE TYPE DISK_TYPE SIZE
    ORIGINAL_SIZE FS FILESYSTEM SOURCE ORDER IOTHREAD VIRTIO_BLK_QUEUES SERIAL LUKS_SECRET MOUNT_TAG CEPH_HOST CEPH_SECRET CEPH_USER CEPH_CONF CEPH_KEY POOL_NAME RBD_FORMAT
    GLUSTER_HOST GLUSTER_VOLUME ISCSI_HOST ISCSI_USER ISCSI_USAGE ISCSI_IQN SHEEPDOG_HOST RECOVERY_SNAPSHOT_FREQ DATASTORE DATASTORE_ID CLUSTER_ID TM_MAD TM_MAD_SYSTEM
    LN_TARGET CLONE_TARGET ALLOW_ORPHANS PERSISTENT_SNAPSHOTS DISK_SNAPSHOT_TOTAL_SIZE FORMAT MD5 DEV_PREFIX OPEN_UID SIZE_IOPS_SEC ${THROTTLING}`, ["DISK_TYPE_", "LN_TARGET_", "CLONE_TARGET_"]),
  NIC: names(NIC),
  NIC_ALIAS: names(`${NIC} PARENT PARENT_ID ALIAS_ID`),
  NIC_DEFAULT: names(NIC),
  PCI: names(`${NIC} TYPE VENDOR DEVICE CLASS SHORT_ADDRESS ADDRESS DOMAIN BUS SLOT FUNCTION PROFILE UUID MDEV_MODE ROOT IOMMU IOMMUFD ACPI_NODES NUMA_NODE PCI_ID
    VM_BUS VM_BUS_INDEX VM_ADDRESS VM_DOMAIN VM_SLOT VM_FUNCTION`),
  GRAPHICS: names("TYPE LISTEN PORT PASSWD RANDOM_PASSWD KEYMAP COMMAND PREVIOUS_PORT"),
  VIDEO: names("TYPE IOMMU ATS VRAM RESOLUTION"),
  INPUT: names("TYPE BUS"),
  IOMMU: names("MODEL MODE OPTIONS"),
  TPM: names("MODEL"),
  MEMORY_ENCRYPTION: names("TYPE"),
  RAW: names("TYPE DATA DATA_VMX VALIDATE"),
  CONTEXT: { keys: new Set(), open: true },
  USER_INPUTS: { keys: new Set(), open: true },
  VMGROUP: names("VMGROUP_ID VMGROUP_NAME ROLE VMGROUP_UID VMGROUP_UNAME"),
  BACKUP_CONFIG: names("BACKUP_VOLATILE FS_FREEZE INCREMENTAL_MODE KEEP_LAST MODE"),
  SCHED_ACTION: names("ACTION ARGS TIME REPEAT DAYS END_TYPE END_VALUE ID WARNING"),
};

/** Single attributes that OpenNebula or its KVM driver reads. */
export const SINGLES: Names = names(`
  NAME CPU VCPU VCPU_MAX MEMORY MEMORY_MAX MEMORY_SLOTS MEMORY_RESIZE_MODE EMULATOR HYPERV_OPTIONS SPICE_OPTIONS HYPERV_TIMERS MEMORY_TUNE_OFFSET
  DESCRIPTION LOGO LABELS HYPERVISOR INPUTS_ORDER INFO NOTE SCHED_REQUIREMENTS SCHED_RANK SCHED_DS_REQUIREMENTS SCHED_DS_RANK REQUIREMENTS RANK
  CPU_COST MEMORY_COST DISK_COST AS_GID AS_UID VROUTER TEMPLATE_ID VMID TM_MAD_SYSTEM KEEP_DISKS_ON_DONE CREATED_BY DEPLOY_ID IMPORT_VM_ID SUBMIT_ON_HOLD
  CLONING_TEMPLATE_ID HOT_RESIZE_CPU_HOT_ADD_ENABLED NAME_PREFIX LOCK VNC LINKED_CLONE DISK_UPDATED_STATE RESTIC_PASSWORD`,
  ["SCHED_", "AUTOMATIC_", "SUNSTONE", "HOT_RESIZE", "ONE_", "ONEGATE_", "ETH"]);

/** Further vectors that belong to other parts of OpenNebula. */
export const OTHER_VECTORS: ReadonlySet<string> = new Set(["SUNSTONE", "HOT_RESIZE", "SCHED_ACTION", "SNAPSHOT", "SECURITY_GROUP_RULE", "PUBLIC_CLOUD", "LXC", "SUNSTONE_VIEWS", "NIC_DEFAULT", "CAPACITY", "MEMORY_MODIFICATION", "INFRASTRUCTURE"]);

/** Whether the vocabulary knows a name. */
export function knows({ keys, prefixes = [], open }: Names, name: string): boolean {
  return open === true || keys.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/** The known name that looks most like a given one; undefined when none is near. */
export function nearest(candidates: Iterable<string>, name: string): string | undefined {
  const limit = Math.max(1, Math.floor(name.length / 3));
  let best: { readonly word: string; readonly cost: number } | undefined;
  for (const word of candidates) {
    const cost = distance(word, name);
    if (cost <= limit && cost < (best?.cost ?? Infinity)) best = { word, cost };
  }
  return best?.word;
}

/** Insertions, deletions, replacements and swaps of neighbours between two words. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replace = at(rows, i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(rows, i - 2, j - 2) + 1 : Infinity;
      row.push(Math.min(at(rows, i - 1, j) + 1, (row[j - 1] ?? 0) + 1, replace, swap));
    }
    rows.push(row);
  }
  return at(rows, a.length, b.length);
}

function at(rows: readonly (readonly number[])[], i: number, j: number): number {
  return rows[i]?.[j] ?? 0;
}
