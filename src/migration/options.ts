/** virDomainMigrateFlags, by libvirt's own names. A test compares each with libvirt-api.xml. */
export const MIGRATE = {
  VIR_MIGRATE_LIVE: 1,
  VIR_MIGRATE_PEER2PEER: 2,
  VIR_MIGRATE_TUNNELLED: 4,
  VIR_MIGRATE_PERSIST_DEST: 8,
  VIR_MIGRATE_UNDEFINE_SOURCE: 16,
  VIR_MIGRATE_PAUSED: 32,
  VIR_MIGRATE_NON_SHARED_DISK: 64,
  VIR_MIGRATE_NON_SHARED_INC: 128,
  VIR_MIGRATE_CHANGE_PROTECTION: 256,
  VIR_MIGRATE_UNSAFE: 512,
  VIR_MIGRATE_COMPRESSED: 2048,
  VIR_MIGRATE_ABORT_ON_ERROR: 4096,
  VIR_MIGRATE_AUTO_CONVERGE: 8192,
  VIR_MIGRATE_RDMA_PIN_ALL: 16384,
  VIR_MIGRATE_POSTCOPY: 32768,
  VIR_MIGRATE_TLS: 65536,
  VIR_MIGRATE_PARALLEL: 131072,
  VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES: 262144,
  VIR_MIGRATE_ZEROCOPY: 1048576,
} as const;

/** Names of typed parameters (VIR_MIGRATE_PARAM_*) that we set ourselves. */
export const PARAMETER = { disks: "migrate_disks", document: "destination_xml", initial: "auto_converge.initial", increment: "auto_converge.increment" } as const;

/** What the value of an option is: libvirt takes an int and an unsigned long long for different parameters. */
export type OptionValue = "text" | "int" | "unsigned" | "list";

/** What one option of `virsh migrate` means here. */
export type OptionRow =
  | { readonly flag: number }
  | { readonly parameter: string; readonly value: OptionValue }
  /** Work that virsh does itself, and we too. */
  | { readonly ours: "timeout" | "timeout-suspend" | "timeout-postcopy" | "postcopy-after-precopy" | "nothing"; readonly value?: "int" }
  /** Why it cannot stand in a configuration; it follows "it ". */
  | { readonly refused: string };

/** Every option of `virsh migrate` (libvirt 9.0). A test compares the names with `virsh migrate --help`. */
export const OPTIONS: Readonly<Record<string, OptionRow>> = {
  "domain": { refused: "names the VM, which OpenNebula does" },
  "desturi": { refused: "names the destination, which OpenNebula does" },
  "live": { flag: MIGRATE.VIR_MIGRATE_LIVE },
  "offline": { refused: "moves a definition, and not a running VM" },
  "p2p": { flag: MIGRATE.VIR_MIGRATE_PEER2PEER },
  "direct": { refused: "is not known to libvirt's QEMU driver" },
  "tunnelled": { flag: MIGRATE.VIR_MIGRATE_TUNNELLED },
  "persistent": { flag: MIGRATE.VIR_MIGRATE_PERSIST_DEST },
  "undefinesource": { flag: MIGRATE.VIR_MIGRATE_UNDEFINE_SOURCE },
  "suspend": { refused: "leaves the VM paused on the destination while OpenNebula believes that it runs" },
  "copy-storage-all": { flag: MIGRATE.VIR_MIGRATE_NON_SHARED_DISK },
  "copy-storage-inc": { flag: MIGRATE.VIR_MIGRATE_NON_SHARED_INC },
  "copy-storage-synchronous-writes": { flag: MIGRATE.VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES },
  "change-protection": { flag: MIGRATE.VIR_MIGRATE_CHANGE_PROTECTION },
  "unsafe": { flag: MIGRATE.VIR_MIGRATE_UNSAFE },
  "verbose": { ours: "nothing" }, // progress is always told
  "compressed": { flag: MIGRATE.VIR_MIGRATE_COMPRESSED },
  "auto-converge": { flag: MIGRATE.VIR_MIGRATE_AUTO_CONVERGE },
  "rdma-pin-all": { flag: MIGRATE.VIR_MIGRATE_RDMA_PIN_ALL },
  "abort-on-error": { flag: MIGRATE.VIR_MIGRATE_ABORT_ON_ERROR },
  "postcopy": { flag: MIGRATE.VIR_MIGRATE_POSTCOPY },
  "postcopy-after-precopy": { ours: "postcopy-after-precopy" },
  "postcopy-resume": { refused: "belongs to one migration that broke, not to a configuration" },
  "zerocopy": { flag: MIGRATE.VIR_MIGRATE_ZEROCOPY },
  "migrateuri": { parameter: "migrate_uri", value: "text" },
  "graphicsuri": { parameter: "graphics_uri", value: "text" },
  "listen-address": { parameter: "listen_address", value: "text" },
  "dname": { refused: "renames the VM, and OpenNebula would not find it again" },
  "timeout": { ours: "timeout", value: "int" },
  "timeout-suspend": { ours: "timeout-suspend" },
  "timeout-postcopy": { ours: "timeout-postcopy" },
  "xml": { refused: "names a document, and there is none that fits every VM" },
  "migrate-disks": { parameter: PARAMETER.disks, value: "list" },
  "disks-port": { parameter: "disks_port", value: "int" },
  "disks-uri": { parameter: "disks_uri", value: "text" },
  "comp-methods": { parameter: "compression", value: "list" },
  "comp-mt-level": { parameter: "compression.mt.level", value: "int" },
  "comp-mt-threads": { parameter: "compression.mt.threads", value: "int" },
  "comp-mt-dthreads": { parameter: "compression.mt.dthreads", value: "int" },
  "comp-xbzrle-cache": { parameter: "compression.xbzrle.cache", value: "unsigned" },
  "auto-converge-initial": { parameter: PARAMETER.initial, value: "int" },
  "auto-converge-increment": { parameter: PARAMETER.increment, value: "int" },
  "persistent-xml": { refused: "names a document, and there is none that fits every VM" },
  "tls": { flag: MIGRATE.VIR_MIGRATE_TLS },
  "postcopy-bandwidth": { parameter: "bandwidth.postcopy", value: "unsigned" },
  "parallel": { flag: MIGRATE.VIR_MIGRATE_PARALLEL },
  "parallel-connections": { parameter: "parallel.connections", value: "int" },
  "bandwidth": { parameter: "bandwidth", value: "unsigned" },
  "tls-destination": { parameter: "tls.destination", value: "text" },
};

/** Options that mean nothing without another one, as virsh refuses them. What only libvirt refuses is left to libvirt. */
export const NEEDS: Readonly<Record<string, string>> = { "timeout-suspend": "timeout", "timeout-postcopy": "timeout", "postcopy-after-precopy": "postcopy" };
