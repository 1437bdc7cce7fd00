import type { Deadline } from "./deadline.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { Settings } from "./settings.ts";

export type * from "./hypervisor.ts";

/** Time, so that tests need none. */
export interface Clock {
  /** Milliseconds that only grow, the same for all processes until the machine is started again; not related to the wall clock. */
  monotonicMs(): number;
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

/** What a file name is, without following links. */
export type FileKind = "file" | "directory" | "symlink" | "other";

/** Files of the host. Errors: FILE_FAILED with path and reason; `find…` and `kind` give undefined for what is not there. */
export interface Files {
  kind(path: string): FileKind | undefined;
  /** Text of a file; undefined when it does not exist. */
  findText(path: string, maxBytes?: number): string | undefined;
  readLink(path: string): string | undefined;
  /** The first bytes of a file; undefined when it does not exist. */
  head(path: string, bytes: number): Uint8Array | undefined;
  /** Names in a directory; empty when there is none. */
  names(directory: string): readonly string[];
  /** Writes whole or not at all: temporary name in the same directory, flush (unless the content may be lost in a power cut), rename. Creates missing directories, and takes them away again when it fails. */
  writeAtomic(path: string, data: string | Uint8Array, mode: number, options?: { readonly flush?: boolean }): void;
  /** Makes a directory and its parents. */
  makeDirectory(path: string, mode: number): void;
  /** A copy that appears whole or not at all, and never replaces an existing file. Says whether it copied. */
  copyIfAbsent(from: string, to: string): boolean;
  /** Moves a file over another in the same directory. */
  rename(from: string, to: string): void;
  remove(path: string): void;
}

/** Room on a file system in bytes, as statfs(2) tells it; what is reserved for root is neither used nor available. */
export interface StorageSpace {
  readonly total: number;
  readonly used: number;
  readonly available: number;
}

/** What stands behind a path, links followed. */
export interface StorageEntry {
  readonly kind: "file" | "directory" | "other";
  readonly bytes: number;
  readonly allocated: number;
}

/** File systems of datastores: they may be a server's that is gone, so every question has its deadline (TIMED_OUT). Errors: FILE_FAILED; undefined, or no names, for what is not there. */
export interface Storage {
  names(directory: string, deadline: Deadline): Promise<readonly string[]>;
  text(path: string, deadline: Deadline): Promise<string | undefined>;
  space(directory: string, deadline: Deadline): Promise<StorageSpace | undefined>;
  look(path: string, deadline: Deadline): Promise<StorageEntry | undefined>;
  /** Bytes that a tree takes on its disk, as `du` counts them. */
  allocated(path: string, deadline: Deadline): Promise<number | undefined>;
}

/** Whose numbers a series holds. */
export interface SeriesOwner {
  readonly kind: "host" | "virtualmachine";
  readonly id: number;
}

export interface SeriesPoint {
  /** Seconds since 1970. */
  readonly at: number;
  readonly value: number;
}

/** Time series that forecasts are made of, in files that others read (monitoring.md 9.1). Errors: FILE_FAILED. */
export interface SeriesStore {
  /** Adds one point to each metric, and drops those that are older than `keepSeconds`. Gives the points that were the newest before. */
  append(owner: SeriesOwner, values: Readonly<Record<string, number>>, at: number, keepSeconds: number): Readonly<Record<string, SeriesPoint>>;
  /** The last points of a metric, oldest first; none when nothing is known. */
  last(owner: SeriesOwner, metric: string, count: number): readonly SeriesPoint[];
  /** What was added is in the owner's file now, for whoever reads that. */
  flush(owner: SeriesOwner): void;
  /** Removes files that nobody has written to since. */
  removeUnused(before: number): void;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Programs that own some data (qemu-img, sudo). Always an argument list, never a shell; always a deadline. */
export interface Commands {
  /** Runs to the end. A non-zero exit is a result; not starting is COMMAND_FAILED; the deadline is TIMED_OUT and kills the program. */
  run(argv: readonly string[], deadline: Deadline, options?: { readonly stdin?: string }): Promise<CommandResult>;
}

/** One QEMU process as /proc shows it. */
export interface QemuProcess {
  readonly pid: number;
  readonly uuid: string;
  /** The domain's name as libvirt gave it to QEMU; undefined when the command line holds none. */
  readonly name?: string;
  /** State letter of /proc/PID/stat: R S D T … */
  readonly state: string;
  readonly residentKiB: number;
  readonly swapKiB: number;
  /** Huge pages, which resident memory does not hold. */
  readonly hugePagesKiB?: number;
  /** utime + stime + cutime + cstime, clock ticks. */
  readonly cpuTicks: number;
  /** Start time, clock ticks since boot: with the pid it names a process for ever. */
  readonly startTicks: number;
}

/** /proc, as far as the life and the load of VMs can be read there. Reading never blocks on QEMU. */
export interface ProcessTable {
  /** All processes whose command line holds `-uuid UUID`, by UUID in lower case. */
  qemu(): ReadonlyMap<string, QemuProcess>;
  /** The live process that libvirt's pid file of this domain name leads to, when there is one (/run/libvirt/qemu/NAME.pid). */
  pidFile(name: string): number | undefined;
  /** Sum of the `cpu` line of /proc/stat without guest and guest_nice, clock ticks, and the number of processors on line. */
  cpuTotal(): { readonly ticks: number; readonly processors: number };
}

/** What another process sees of an action in progress. */
export interface LockHolder {
  readonly action: string;
  readonly uuid: string;
  readonly name: string;
  readonly pid: number;
  /** Wall clock, ISO 8601. */
  readonly since: string;
}

/** The lock of one VM: held by every action that changes its life, kept outside the synced tree, gone with its process. */
export interface Locks {
  /** Takes the lock, waiting until the deadline. BUSY names the holder. */
  acquire(uuid: string, name: string, action: string, deadline: Deadline): Promise<Disposable>;
  /** Who holds the lock of this UUID or of this domain name now. */
  holder(uuidOrName: string): LockHolder | undefined;
  /** Locks a file that other programs lock too (flock(2), exclusive), waiting until the deadline. It is made when it is not there, and stays. */
  file(path: string, deadline: Deadline): Promise<Disposable>;
  /** All actions in progress on this host. */
  holders(): readonly LockHolder[];
}

/** State that survives the process, outside the synced tree (samples, quarantine). Losing it costs accuracy, never truth. */
export interface StateStore {
  read(name: string): unknown;
  write(name: string, value: unknown): void;
}

/** What `ONEVIRT_TRACE` records: one line for each libvirt call, process and file written, with duration and result. */
export interface Tracer {
  /** Runs `work` and records it under `kind`; `show` makes the result short and free of secrets. */
  around<T>(kind: TraceKind, what: string, work: () => T, show?: (result: T) => string): T;
  /** Records what has already happened. */
  note(kind: TraceKind, what: string, ms: number, result: string): void;
}

export type TraceKind = "libvirt" | "process" | "file" | "worker";

export type Severity = "ERROR" | "WARN" | "INFO" | "DEBUG";

/** What goes to the log of oned or of the operator: one line each. */
export interface Log {
  log(severity: Severity, text: string): void;
}

/** Programs that need root: vGPU devices and TPM state (actions.md 7.23, 7.24). */
export interface RootHelpers {
  vgpu(task: "create" | "delete", vmXmlPath: string, deadline: Deadline): Promise<void>;
  tpm(task: "recover" | "backup", uuid: string, vmDirectory: string, deadline: Deadline): Promise<void>;
  /** `sysctl vm.drop_caches=3 vm.compact_memory=1`, when sudo allows it. */
  compactMemory(deadline: Deadline): Promise<void>;
}

/** Which oned calls us: it decides the form of errors and of some answers (actions.md 2.2, 16.1). */
export interface Generation {
  /** As the tree's VERSION says; undefined when there is none, then the newest is assumed. */
  readonly version: string | undefined;
  /** 6.2 and later read plain stderr; before, a marker block. */
  readonly errors: "plain" | "markers";
  /** deploy answers with the UUID since 6.0, with the name before. */
  readonly deployAnswer: "uuid" | "name";
  /** Rules of the 5.x poll: 5.8 changed memory, paused states and disk numbers (actions.md 15.7). */
  readonly poll: "5.4" | "5.8";
  /** Who takes what a host reports: collectd of 5.x, or onemonitord since 5.12 (monitoring.md 11). */
  readonly monitoring: "collectd" | "monitord";
  /** Directory of the sockets between Open vSwitch with DPDK and QEMU; 7.4 moved it (actions.md 5). */
  readonly vhostSockets: "/var/run/one/vhost-socks" | "/var/lib/one/vhost-sockets";
}

/** Everything an action may use. Implementations are opened on first use. */
export interface Context {
  /** The remotes tree that this process belongs to. */
  readonly tree: string;
  readonly settings: Settings;
  readonly generation: Generation;
  readonly hypervisor: Hypervisor;
  /** libvirt behind another URI, for instance the destination of a migration. The caller closes it. */
  readonly hypervisorAt: (uri: string) => Hypervisor & Disposable;
  readonly files: Files;
  readonly commands: Commands;
  readonly processes: ProcessTable;
  readonly locks: Locks;
  readonly state: StateStore;
  readonly storage: Storage;
  readonly series: SeriesStore;
  readonly root: RootHelpers;
  readonly clock: Clock;
  readonly log: Log;
  /** 64 random hexadecimal digits. */
  readonly randomHex: () => string;
  /** The action's own limit: the table's default, or LIMIT_<ACTION> of our configuration. */
  readonly deadline: Deadline;
}
