/** What a setting's text may look like, and with it the type of its value (`ValueOf`). */
export type Kind =
  | "text" // anything without control characters; "" means not set
  | "flag" // true for exactly `yes`
  | "flag-any-case" // true for `yes` in any case
  | "seconds"
  | "count"
  | "digits" // a number that goes into a document as text; "" means not set
  | "digits-or-auto"
  | "words" // split at blanks, as an unquoted shell expansion
  | "command" // words, and empty means unset: scripts_common.sh uses ${NAME:-default}
  | "uri" // no blanks, no control characters, not empty
  | "path" // absolute
  | "limit"; // seconds, or null for `none`

interface Values {
  "text": string;
  "flag": boolean;
  "flag-any-case": boolean;
  "seconds": number;
  "count": number;
  "digits": string;
  "digits-or-auto": string;
  "words": readonly string[];
  "command": readonly string[];
  "uri": string;
  "path": string;
  "limit": number | null;
}

/** The type of a value of this kind. */
export type ValueOf<K extends Kind> = Values[K];

/** Any value a setting can have. */
export type Value = ValueOf<Kind>;

type RowOf<K extends Kind> = {
  readonly kind: K;
  readonly default: ValueOf<K>;
  /** What the number counts. */
  readonly unit?: string;
  /** Actions and other programs that read it, by their upstream names; "all" for every action. */
  readonly readBy: readonly string[];
  readonly about: string;
  /** An empty value means the default. */
  readonly emptyIsUnset?: true;
  /** A value that cannot be read means the default. Compat: for kvmrc files that upstream accepts. */
  readonly tolerant?: true;
  /** Smallest number accepted; 0 when absent. */
  readonly minimum?: number;
  /** Smaller numbers count as this one. */
  readonly raisedTo?: number;
  /** The setting whose value is taken when this one is unset. */
  readonly fallback?: string;
};

/** One setting: how to read its text, what holds without it, and what to tell people. */
export type Row = { [K in Kind]: RowOf<K> }[Kind];

const iotune = (unit: string, about: string) =>
  ({ kind: "digits", default: "", unit, readBy: ["attach_disk"], about: `Default of the disk attribute of the same name: ${about}` }) as const;

/** Every variable of kvmrc (actions.md 4.1, scripts_common.sh for the commands), with what 7.4 does when it is unset. */
export const VARIABLES = {
  LANG: { kind: "text", default: "C", readBy: ["all"], about: "Language in which child programs speak; onevirt itself always runs them with C" },
  LIBVIRT_URI: { kind: "uri", default: "qemu:///system", readBy: ["all"], about: "Connection to libvirt" },
  QEMU_PROTOCOL: { kind: "uri", default: "qemu+ssh", readBy: ["migrate", "migrate_local"], about: "Scheme of the connection to the other host of a migration, as in SCHEME://HOST/system" },
  LIBVIRT_MD_URI: { kind: "uri", default: "http://opennebula.org/xmlns/libvirt/1.0", readBy: ["snapshot_create", "snapshot_delete", "vgpu"], about: "XML namespace of OpenNebula's metadata in a domain" },
  LIBVIRT_MD_KEY: { kind: "text", default: "one", readBy: ["snapshot_create", "snapshot_delete", "vgpu"], about: "Prefix of that namespace; libvirt ignores it when reading" },
  SHUTDOWN_TIMEOUT: { kind: "seconds", default: 120, unit: "s", emptyIsUnset: true, readBy: ["shutdown"], about: "How long a guest may take to power off" },
  FORCE_DESTROY: { kind: "flag", default: false, readBy: ["shutdown"], about: "Power a guest off by force when SHUTDOWN_TIMEOUT has passed" },
  CANCEL_NO_ACPI: { kind: "flag", default: false, readBy: ["shutdown"], about: "Power a guest without ACPI off by force at once" },
  SYNC_TIME: { kind: "flag-any-case", default: false, readBy: ["restore", "migrate", "migrate_local"], about: "Set the clock of the guest after it resumed; restore takes only lower case upstream" },
  VIRSH_RETRIES: { kind: "count", default: 3, unit: "tries", emptyIsUnset: true, raisedTo: 1, readBy: ["restore", "detach_nic"], about: "How often a failed operation is tried in all" },
  VIRSH_TRIES: { kind: "count", default: 3, unit: "tries", emptyIsUnset: true, tolerant: true, minimum: 1, fallback: "VIRSH_RETRIES", readBy: ["migrate"], about: "How often a migration refused because of an active block job is tried in all" },
  VIRSH_TIMEOUT: { kind: "seconds", default: 60, unit: "s", emptyIsUnset: true, minimum: 1, readBy: ["tm"], about: "Limit of a call that the guest or its storage can block" },
  CLEANUP_MEMORY_ON_START: { kind: "flag", default: false, readBy: ["deploy", "restore", "resize"], about: "Compact the memory of the host before a VM starts or grows" },
  CLEANUP_MEMORY_ON_STOP: { kind: "flag", default: false, readBy: ["shutdown", "cancel", "save", "resize", "migrate"], about: "Compact the memory of the host after a VM stopped; upstream's migrate alone also takes capitals" },
  DEFAULT_ATTACH_CACHE: { kind: "text", default: "default", emptyIsUnset: true, readBy: ["attach_disk"], about: "Cache mode of a hot-plugged disk that asks for none" },
  DEFAULT_ATTACH_DISCARD: { kind: "text", default: "", readBy: ["attach_disk"], about: "Discard mode of a hot-plugged disk that asks for none" },
  DEFAULT_ATTACH_IO: { kind: "text", default: "", readBy: ["attach_disk"], about: "I/O mode of a hot-plugged disk that asks for none" },
  DEFAULT_ATTACH_VIRTIO_BLK_QUEUES: { kind: "digits-or-auto", default: "", unit: "queues", readBy: ["attach_disk"], about: "Queues of a hot-plugged virtio disk; auto means one for each virtual CPU" },
  DEFAULT_ATTACH_VIRTIO_BLK_IOTHREAD: { kind: "text", default: "", readBy: ["attach_disk"], about: "I/O thread of a hot-plugged virtio disk; anything but a positive number spreads disks over the threads" },
  DEFAULT_ATTACH_TOTAL_BYTES_SEC: iotune("B/s", "limit of reading and writing together"),
  DEFAULT_ATTACH_TOTAL_BYTES_SEC_MAX: iotune("B/s", "burst of reading and writing together"),
  DEFAULT_ATTACH_TOTAL_BYTES_SEC_MAX_LENGTH: iotune("s", "length of that burst"),
  DEFAULT_ATTACH_READ_BYTES_SEC: iotune("B/s", "limit of reading"),
  DEFAULT_ATTACH_READ_BYTES_SEC_MAX: iotune("B/s", "burst of reading"),
  DEFAULT_ATTACH_READ_BYTES_SEC_MAX_LENGTH: iotune("s", "length of that burst"),
  DEFAULT_ATTACH_WRITE_BYTES_SEC: iotune("B/s", "limit of writing"),
  DEFAULT_ATTACH_WRITE_BYTES_SEC_MAX: iotune("B/s", "burst of writing"),
  DEFAULT_ATTACH_WRITE_BYTES_SEC_MAX_LENGTH: iotune("s", "length of that burst"),
  DEFAULT_ATTACH_TOTAL_IOPS_SEC: iotune("1/s", "limit of operations together"),
  DEFAULT_ATTACH_TOTAL_IOPS_SEC_MAX: iotune("1/s", "burst of operations together"),
  DEFAULT_ATTACH_TOTAL_IOPS_SEC_MAX_LENGTH: iotune("s", "length of that burst"),
  DEFAULT_ATTACH_READ_IOPS_SEC: iotune("1/s", "limit of read operations"),
  DEFAULT_ATTACH_READ_IOPS_SEC_MAX: iotune("1/s", "burst of read operations"),
  DEFAULT_ATTACH_READ_IOPS_SEC_MAX_LENGTH: iotune("s", "length of that burst"),
  DEFAULT_ATTACH_WRITE_IOPS_SEC: iotune("1/s", "limit of write operations"),
  DEFAULT_ATTACH_WRITE_IOPS_SEC_MAX: iotune("1/s", "burst of write operations"),
  DEFAULT_ATTACH_WRITE_IOPS_SEC_MAX_LENGTH: iotune("s", "length of that burst"),
  DEFAULT_ATTACH_SIZE_IOPS_SEC: iotune("B", "size of one operation when operations are counted"),
  DEFAULT_ATTACH_NIC_MODEL: { kind: "text", default: "", readBy: ["attach_nic"], about: "Model of a hot-plugged interface that asks for none" },
  DEFAULT_ATTACH_NIC_FILTER: { kind: "text", default: "", readBy: ["attach_nic"], about: "Network filter of a hot-plugged interface that asks for none" },
  MIGRATE_OPTIONS: { kind: "words", default: [], readBy: ["migrate", "migrate_local"], about: "Options of virsh migrate, for instance --unsafe" },
  VIRTIOFSD_BINARY_PATH: { kind: "words", default: [], readBy: ["virtiofsd.sh"], about: "Where virtiofsd may be; the first executable one is used" },
  OVMF_NVRAM: { kind: "text", default: "", readBy: ["deploy"], about: "Template of the UEFI variables of a new VM" },
  QEMU_IMG: { kind: "command", default: ["qemu-img"], emptyIsUnset: true, readBy: ["deploy", "attach_disk", "migrate", "resize_disk"], about: "The qemu-img command, with arguments if need be" },
  SUDO: { kind: "command", default: ["sudo", "-n"], emptyIsUnset: true, readBy: ["deploy", "shutdown", "cancel", "save", "restore", "resize", "migrate"], about: "The sudo command, with arguments if need be" },
  SSH: { kind: "command", default: ["ssh"], emptyIsUnset: true, readBy: ["migrate", "migrate_local"], about: "The ssh command, with arguments if need be" },
  RBD: { kind: "command", default: ["rbd"], emptyIsUnset: true, readBy: ["save", "restore"], about: "The rbd command, with arguments if need be" },
} as const satisfies Record<string, Row>;

/** Where locks are kept when nobody chose LOCK_DIRECTORY and this host has no /run/one (tmpfiles of the node package makes it). */
export const LOCK_DIRECTORY_WITHOUT_RUN = "/var/tmp/one_db/onevirt/locks";

/** Our own settings, in onevirt.conf: kvmrc is merged by upgrades and must not hold them (install-and-sync.md 7.3). */
export const OWN = {
  LOCK_DIRECTORY: { kind: "path", default: "/run/one/onevirt/locks", readBy: ["all"], about: `Directory of the locks of VMs; when it is not set and /run/one does not exist, ${LOCK_DIRECTORY_WITHOUT_RUN}` },
  STATE_DIRECTORY: { kind: "path", default: "/var/tmp/one_db/onevirt", readBy: ["all"], about: "Directory of samples and other state that may be lost" },
  FRESH_LOOK_SECONDS: { kind: "seconds", default: 5, unit: "s", minimum: 1, readBy: ["all"], about: "Time for reading the outcome after a call to libvirt was abandoned" },
  POLL_MONITOR_SECONDS: { kind: "seconds", default: 2, unit: "s", minimum: 1, readBy: ["poll"], about: "Limit of one attempt to read what only QEMU knows" },
  QUARANTINE_SECONDS: { kind: "seconds", default: 40, unit: "s", readBy: ["poll"], about: "How long a VM whose QEMU did not answer is not asked again" },
  MIGRATE_STALL_SECONDS: { kind: "seconds", default: 600, unit: "s", readBy: ["migrate", "migrate_local"], about: "How long a migration may go on without having less left to send than ever before; then post-copy is used where --postcopy allows it, else it is ended and the VM stays; 0 for ever" },
  MIGRATE_URI: { kind: "text", default: "", readBy: ["migrate", "migrate_local"], about: "Where the memory of a VM is sent, for a network of its own, as in tcp://%h.migration; %h stands for the destination as OpenNebula names it" },
  VGPU_HELPER: { kind: "path", default: "/var/tmp/one/vgpu", readBy: ["deploy", "shutdown", "cancel"], about: "Program run as root to create and delete vGPU devices; /usr/lib/onevirt/vgpu where it is installed and this is not set" },
  VTPM_HELPER: { kind: "path", default: "/var/tmp/one/vtpm_setup", readBy: ["deploy", "shutdown"], about: "Program run as root to save and bring back the state of a TPM; /usr/lib/onevirt/vtpm_setup where it is installed and this is not set" },
} as const satisfies Record<string, Row>;

/** The row of LIMIT_<ACTION> in onevirt.conf; without one, the limit of the action table holds. */
export const LIMIT = { kind: "limit", default: null, unit: "s", minimum: 1, readBy: [], about: "Seconds until the whole action ends by itself, or none" } as const satisfies Row;

export type VariableName = keyof typeof VARIABLES;
export type OwnName = keyof typeof OWN;

/** The configuration of one process. Values never change while it runs. */
export interface Settings {
  readonly kvmrc: { readonly [N in VariableName]: ValueOf<(typeof VARIABLES)[N]["kind"]> };
  readonly onevirt: { readonly [N in OwnName]: ValueOf<(typeof OWN)[N]["kind"]> };
  /** LIMIT_<ACTION> by action name, only where an administrator set it; null is no limit. */
  readonly limits: Readonly<Record<string, number | null>>;
}

/** A value, or the reason why the text has none: a clause that follows `NAME: `. */
export type Reading<V = Value> = { readonly value: V } | { readonly problem: string };

/** The value of a row's text; its default where the text counts as unset. */
export function interpret<R extends Row>(row: R, raw: string | undefined): Reading<ValueOf<R["kind"]>> {
  const reading = raw === undefined || (raw === "" && row.emptyIsUnset) ? { value: row.default } : read(row, raw);
  const settled = "problem" in reading && row.tolerant ? { value: row.default } : reading;
  return settled as Reading<ValueOf<R["kind"]>>;
}

/** Whether the text leaves the row at its default (or at its fallback). */
export function isUnset(row: Row, raw: string | undefined): boolean {
  if (raw === undefined || (raw === "" && row.emptyIsUnset)) return true;
  return row.tolerant === true && "problem" in read(row, raw);
}

/** The values that hold when no file sets anything. */
export function defaultSettings(): Settings {
  const defaults = (table: Record<string, Row>) => Object.freeze(Object.fromEntries(Object.entries(table).map(([name, row]) => [name, row.default])));
  return Object.freeze({
    kvmrc: defaults(VARIABLES) as Settings["kvmrc"],
    onevirt: defaults(OWN) as Settings["onevirt"],
    limits: Object.freeze({}),
  });
}

const CONTROL = /[\x00-\x1f\x7f]/;
const BLANK = /[ \t\n]+/;
const BAD = {
  control: "contains a control character",
  blank: "contains a blank",
  empty: "is empty",
  noCommand: "expected a command, found only blanks",
} as const;

function read(row: Row, raw: string): Reading {
  switch (row.kind) {
    case "flag":
      return { value: raw === "yes" };
    case "flag-any-case":
      return { value: raw.toLowerCase() === "yes" };
    case "text":
      return CONTROL.test(raw) ? { problem: BAD.control } : { value: raw };
    case "seconds":
    case "count":
      return readNumber(row, raw);
    case "limit":
      return raw === "none" ? { value: null } : readNumber(row, raw, ", or none");
    case "digits":
      return readDigits(raw, "");
    case "digits-or-auto":
      return raw === "auto" ? { value: raw } : readDigits(raw, ", or auto");
    case "words":
    case "command":
      return readWords(row, raw);
    case "uri":
      return readUri(raw);
    case "path":
      return CONTROL.test(raw) ? { problem: BAD.control } : raw.startsWith("/") ? { value: raw } : { problem: expected("an absolute path", raw) };
  }
}

/** Blanks around a number are harmless to every reader upstream. */
function readNumber(row: Row, raw: string, orElse = ""): Reading<number> {
  const minimum = row.minimum ?? 0;
  const number = Number(/^[ \t]*([0-9]{1,9})[ \t]*$/.exec(raw)?.[1] ?? NaN);
  if (!(number >= minimum)) return { problem: expected(`a whole number${minimum > 0 ? ` of at least ${minimum}` : ""}${orElse}`, raw) };
  return { value: Math.max(number, row.raisedTo ?? 0) };
}

/** Kept as text: the number is only handed on, and may exceed what JavaScript counts exactly. */
function readDigits(raw: string, orElse: string): Reading<string> {
  return raw === "" || /^[0-9]{1,20}$/.test(raw) ? { value: raw } : { problem: expected(`digits${orElse}`, raw) };
}

function readWords(row: Row, raw: string): Reading<readonly string[]> {
  const words = raw.split(BLANK).filter((word) => word !== "");
  if (words.some((word) => CONTROL.test(word))) return { problem: BAD.control };
  return words.length === 0 && row.kind === "command" ? { problem: BAD.noCommand } : { value: words };
}

function readUri(raw: string): Reading<string> {
  if (raw === "") return { problem: BAD.empty };
  if (/[ \t\n]/.test(raw)) return { problem: BAD.blank };
  return CONTROL.test(raw) ? { problem: BAD.control } : { value: raw };
}

const expected = (what: string, raw: string) => `expected ${what}, found ${JSON.stringify(raw)}`;
