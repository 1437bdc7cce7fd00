import type { Deadline } from "./deadline.ts";
import type { DomainState } from "./states.ts";
import type { Settings } from "./settings.ts";

/** Time, so that tests need none. */
export interface Clock {
  /** Milliseconds that only grow; not related to the wall clock. */
  monotonicMs(): number;
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

/** A domain as libvirt names it. */
export interface DomainIdentity {
  readonly name: string;
  readonly uuid: string;
  /** libvirt's id of a running domain; -1 when inactive. */
  readonly id: number;
}

export interface DomainStatus extends DomainIdentity {
  readonly state: DomainState;
  /** Reason number of the state (virDomain*Reason). */
  readonly reason: number;
}

/** Typed parameters of virConnectGetAllDomainStats by libvirt's own names, for instance `block.0.rd.bytes`. */
export type StatsFields = Readonly<Record<string, number | bigint | string | boolean>>;

export interface DomainStats extends DomainIdentity {
  readonly fields: StatsFields;
}

/** Groups of virConnectGetAllDomainStats. "state" and "interface" never ask QEMU; the others may hang with it (bun-notes 4.5). */
export type StatsGroup = "state" | "cpu" | "balloon" | "vcpu" | "interface" | "block";

/** A listener for the end of one domain. An event is a reason to look, `find` has the last word. */
export interface StopWatch extends Disposable {
  /** True as soon as the domain was seen to stop, also before this call; false at the deadline, or when the listener was lost (libvirtd restarted). */
  stopped(deadline: Deadline): Promise<boolean>;
}

/** How a guest is asked to power off. "default" lets libvirt choose: the agent when connected, else ACPI. */
export type ShutdownMode = "default" | "acpi" | "agent";

export interface HypervisorVersions {
  /** libvirt.so on this machine, e.g. "9.0.0". */
  readonly library: string;
  /** The daemon behind the connection. */
  readonly daemon: string;
  /** Driver name, e.g. "QEMU". */
  readonly type: string;
}

/**
 * libvirt, as actions and probes see it: names and plain objects in, plain objects out.
 *
 * Every method ends at its deadline with TIMED_OUT. The call behind it is then abandoned, not cancelled: it may still
 * take effect, so whoever changed something must look again (`vm/outcome.ts`). The next call uses a fresh connection.
 * Errors: DOMAIN_NOT_FOUND, LIBVIRT_UNREACHABLE and CONNECTION_LOST (state unknown!), LIBVIRT_MISSING, INVALID_STATE, LIBVIRT_FAILED, TIMED_OUT.
 */
export interface Hypervisor {
  readonly uri: string;
  /** The domain with this name, UUID or numeric id, resolved as virsh does (actions.md 6.1); undefined when libvirt says that there is none. */
  find(ref: string, deadline: Deadline): Promise<DomainStatus | undefined>;
  /** Starts a transient domain (virDomainCreateXML). */
  create(xml: string, deadline: Deadline): Promise<DomainIdentity>;
  destroy(uuid: string, deadline: Deadline): Promise<void>;
  shutdown(uuid: string, mode: ShutdownMode, deadline: Deadline): Promise<void>;
  reboot(uuid: string, deadline: Deadline): Promise<void>;
  reset(uuid: string, deadline: Deadline): Promise<void>;
  /** Begins to listen for the end of a domain. Resolves when libvirt has registered the listener, so that nothing that is asked for afterwards can be missed. */
  watchStop(uuid: string, deadline: Deadline): Promise<StopWatch>;
  /** The domain's document; `secure` includes passwords. */
  domainXml(uuid: string, options: { readonly secure?: boolean }, deadline: Deadline): Promise<string>;
  /** The metadata element of one namespace; undefined when the domain has none (VIR_ERR_NO_DOMAIN_METADATA). */
  metadata(uuid: string, namespace: string, deadline: Deadline): Promise<string | undefined>;
  /** Makes libvirt know a snapshot again (VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE). */
  redefineSnapshot(uuid: string, xml: string, deadline: Deadline): Promise<void>;
  /** All active domains in the order of their ids. Never waits for a QEMU. */
  list(deadline: Deadline): Promise<readonly DomainStatus[]>;
  /** Statistics of the active domains (of `uuids` only, when given), never waiting for a domain whose job is held (NOWAIT). Still needs its deadline. */
  stats(groups: readonly StatsGroup[], uuids: readonly string[] | undefined, deadline: Deadline): Promise<readonly DomainStats[]>;
  /** Maximum memory in KiB (virDomainGetInfo), without asking QEMU. Domains that vanished are absent. */
  maxMemoryKiB(uuids: readonly string[], deadline: Deadline): Promise<Readonly<Record<string, number>>>;
  versions(deadline: Deadline): Promise<HypervisorVersions>;
}

/** What a file name is, without following links. */
export type FileKind = "file" | "directory" | "symlink" | "other";

/** Files of the host. Errors: FILE_FAILED with path and reason; `find…` and `kind` give undefined for what is not there. */
export interface Files {
  kind(path: string): FileKind | undefined;
  /** Text of a file; undefined when it does not exist. */
  findText(path: string, maxBytes?: number): string | undefined;
  readLink(path: string): string | undefined;
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

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Programs that own some data (qemu-img, sudo). Always an argument list, never a shell; always a deadline. */
export interface Commands {
  /** Runs to the end. A non-zero exit is a result; not starting is COMMAND_FAILED; the deadline is TIMED_OUT and kills the program. */
  run(argv: readonly string[], deadline: Deadline): Promise<CommandResult>;
}

/** One QEMU process as /proc shows it. */
export interface QemuProcess {
  readonly pid: number;
  readonly uuid: string;
  /** State letter of /proc/PID/stat: R S D T … */
  readonly state: string;
  readonly residentKiB: number;
  readonly swapKiB: number;
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
}

/** Everything an action may use. Implementations are opened on first use. */
export interface Context {
  /** The remotes tree that this process belongs to. */
  readonly tree: string;
  readonly settings: Settings;
  readonly generation: Generation;
  readonly hypervisor: Hypervisor;
  readonly files: Files;
  readonly commands: Commands;
  readonly processes: ProcessTable;
  readonly locks: Locks;
  readonly state: StateStore;
  readonly root: RootHelpers;
  readonly clock: Clock;
  readonly log: Log;
  /** 64 random hexadecimal digits. */
  readonly randomHex: () => string;
  /** The action's own limit: the table's default, or LIMIT_<ACTION> of our configuration. */
  readonly deadline: Deadline;
}
