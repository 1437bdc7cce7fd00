import type { Deadline } from "./deadline.ts";
import type { OnevirtError } from "./errors.ts";
import type { DomainState } from "./states.ts";

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

/**
 * What is read of virConnectGetAllDomainStats, by what it is for. "state" and "interface" never ask QEMU; the others may hang with it
 * (bun-notes 4.5). A bulk call gives three times as much (times, flushes, paths), which would have to go from thread to thread.
 */
export const STATS_FIELDS = {
  state: /^state\.(?:state|reason)$/,
  interface: /^net\.(?:count|\d+\.[rt]x\.bytes)$/,
  block: /^block\.(?:count|\d+\.(?:rd|wr)\.(?:bytes|reqs))$/,
  disk: /^block\.\d+\.(?:name|capacity)$/,
} as const satisfies Record<string, RegExp>;

export type StatsGroup = keyof typeof STATS_FIELDS;

/** A listener for the end of one domain. An event is a reason to look, `find` has the last word. */
export interface StopWatch extends Disposable {
  /** True as soon as the domain was seen to stop, also before this call; false at the deadline, or when the listener was lost (libvirtd restarted). */
  stopped(deadline: Deadline): Promise<boolean>;
}

/** What libvirt reports of a domain's life (virDomainEventType). An event is a reason to look: `find` has the last word. */
export type LifecycleKind = "defined" | "undefined" | "started" | "suspended" | "resumed" | "stopped" | "shutdown" | "pmsuspended" | "crashed";

export interface LifecycleEvent {
  readonly uuid: string;
  readonly name: string;
  readonly kind: LifecycleKind;
  /** Number of virDomainEvent*DetailType. */
  readonly detail: number;
}

/** A listener for the life of all domains. */
export interface LifecycleWatch extends Disposable {
  /** Kept when the listener was lost, with the reason: events may have been missed since, so everything is to be looked at again. */
  readonly lost: Promise<OnevirtError>;
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
  /** Begins to report the life of all domains. Resolves when libvirt has registered the listener. */
  watchLifecycle(report: (event: LifecycleEvent) => void, deadline: Deadline): Promise<LifecycleWatch>;
  /** The domain's document; `secure` includes passwords. */
  domainXml(uuid: string, options: { readonly secure?: boolean }, deadline: Deadline): Promise<string>;
  /** The metadata element of one namespace; undefined when the domain has none (VIR_ERR_NO_DOMAIN_METADATA). */
  metadata(uuid: string, namespace: string, deadline: Deadline): Promise<string | undefined>;
  /** Replaces one metadata element of the running domain (virDomainSetMetadata ELEMENT, LIVE); `key` is its prefix. */
  setMetadata(uuid: string, namespace: string, key: string, xml: string, deadline: Deadline): Promise<void>;
  suspend(uuid: string, deadline: Deadline): Promise<void>;
  resume(uuid: string, deadline: Deadline): Promise<void>;
  /** Wakes a guest that put itself to sleep (virDomainPMWakeup). */
  wakeUp(uuid: string, deadline: Deadline): Promise<void>;
  /** Removes the definition of a domain that is not running, with its nvram kept and its snapshot metadata dropped. Only for what a failed migration left. */
  undefine(uuid: string, deadline: Deadline): Promise<void>;
  /** All active domains in the order of their ids; the very same array as long as nothing has changed. Never waits for a QEMU. */
  list(deadline: Deadline): Promise<readonly DomainStatus[]>;
  /** Statistics of the active domains (of `uuids` only, when given), never waiting for a domain whose job is held (NOWAIT). Still needs its deadline. */
  stats(groups: readonly StatsGroup[], uuids: readonly string[] | undefined, deadline: Deadline): Promise<readonly DomainStats[]>;
  /** Maximum memory in KiB (virDomainGetInfo), without asking QEMU. Domains that vanished are absent. */
  maxMemoryKiB(uuids: readonly string[], deadline: Deadline): Promise<Readonly<Record<string, number>>>;
  versions(deadline: Deadline): Promise<HypervisorVersions>;
  readonly devices: DevicePort;
  readonly snapshots: SnapshotPort;
  readonly images: SaveImagePort;
  readonly guest: GuestPort;
  readonly jobs: JobPort;
  readonly migration: MigrationPort;
  readonly node: NodePort;
}

/** How the removal of a device ended: the guest gave it back, the guest refused, or nothing was heard. */
export type RemovalAnswer = "removed" | "refused" | "silent";

/** A listener for the removal of one device. An event is a reason to look: the document has the last word. */
export interface RemovalWatch extends Disposable {
  answer(deadline: Deadline): Promise<RemovalAnswer>;
}

/** Devices, memory and processors of a running domain: live only, nothing is written to a definition. */
export interface DevicePort {
  /** virDomainAttachDeviceFlags LIVE. */
  attach(uuid: string, xml: string, deadline: Deadline): Promise<void>;
  /** virDomainDetachDeviceFlags LIVE: the request was taken, or the device is gone; only the document tells which. */
  detach(uuid: string, xml: string, deadline: Deadline): Promise<void>;
  /** virDomainUpdateDeviceFlags LIVE: media of a drive; `force` opens a locked tray. */
  update(uuid: string, xml: string, options: { readonly force?: boolean }, deadline: Deadline): Promise<void>;
  /** Begins to listen for DEVICE_REMOVED and DEVICE_REMOVAL_FAILED of one alias. */
  watchRemoval(uuid: string, alias: string, deadline: Deadline): Promise<RemovalWatch>;
  /** virDomainSetMemoryFlags LIVE: the balloon's target in KiB. */
  setMemory(uuid: string, kib: number, deadline: Deadline): Promise<void>;
  /** virDomainSetVcpusFlags LIVE, with HOTPLUGGABLE when asked. */
  setVcpus(uuid: string, count: number, options: { readonly hotpluggable?: boolean }, deadline: Deadline): Promise<void>;
  /** virDomainBlockResize in bytes; `disk` is a target or a path. */
  resizeDisk(uuid: string, disk: string, bytes: number, deadline: Deadline): Promise<void>;
}

/** Snapshots that libvirt knows of a domain, by name. */
export interface SnapshotPort {
  /** Takes a full checkpoint of memory and disks; gives its name. */
  create(uuid: string, xml: string, deadline: Deadline): Promise<string>;
  /** Makes libvirt know a snapshot again (VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE), as the current one when asked. */
  redefine(uuid: string, xml: string, options: { readonly current?: boolean }, deadline: Deadline): Promise<void>;
  names(uuid: string, deadline: Deadline): Promise<readonly string[]>;
  current(uuid: string, deadline: Deadline): Promise<string | undefined>;
  /** The document of a snapshot; `secure` includes passwords. DOMAIN_NOT_FOUND never means the snapshot: that is SNAPSHOT_NOT_FOUND. */
  xml(uuid: string, name: string, options: { readonly secure?: boolean }, deadline: Deadline): Promise<string>;
  revert(uuid: string, name: string, options: { readonly force?: boolean }, deadline: Deadline): Promise<void>;
  /** Deletes a snapshot, or only what libvirt remembers of it. */
  delete(uuid: string, name: string, options: { readonly metadataOnly?: boolean }, deadline: Deadline): Promise<void>;
}

/** Saved domains: memory and document in one file. */
export interface SaveImagePort {
  /** virDomainSaveFlags: the domain stops, its memory is in the file. */
  save(uuid: string, path: string, deadline: Deadline): Promise<void>;
  /** The document in a save image (virDomainSaveImageGetXMLDesc); `secure` includes passwords. */
  xml(path: string, options: { readonly secure?: boolean }, deadline: Deadline): Promise<string>;
  /** virDomainRestoreFlags, with the document changed to `xml` when given. */
  restore(path: string, xml: string | undefined, deadline: Deadline): Promise<void>;
}

/** The agent inside the guest. Each call waits at most until its deadline, in libvirt too. */
export interface GuestPort {
  /** virDomainQemuAgentCommand: one JSON text in, one out (libvirt-qemu.so). It taints the domain in libvirt's log. */
  command(uuid: string, json: string, deadline: Deadline): Promise<string>;
  /** virDomainFSFreeze of all file systems, or of some; gives their number. */
  freeze(uuid: string, mountPoints: readonly string[] | undefined, deadline: Deadline): Promise<number>;
  thaw(uuid: string, mountPoints: readonly string[] | undefined, deadline: Deadline): Promise<number>;
  /** virDomainSetTime with SYNC: from the guest's own hardware clock. */
  syncTime(uuid: string, deadline: Deadline): Promise<void>;
}

/** Progress of a job of the whole domain (virDomainGetJobStats) by libvirt's field names, for instance `data_remaining`. */
export interface JobProgress {
  /** virDomainJobType: 0 none, 1 bounded, 2 unbounded, 3 completed, 4 failed, 5 cancelled. */
  readonly type: number;
  readonly fields: StatsFields;
}

/** A copy that runs on one disk (virDomainGetBlockJobInfo), in bytes unless the image is empty. */
export interface BlockJob {
  /** virDomainBlockJobType. */
  readonly type: number;
  readonly current: bigint;
  readonly end: bigint;
}

export interface BlockCopyOptions {
  readonly shallow?: boolean;
  /** The destination file exists already and is to be filled. */
  readonly reuseExternal?: boolean;
}

/** Work that goes on in QEMU after the call returned. Asked on a thread of its own, so that it answers while a migration holds another. */
export interface JobPort {
  progress(uuid: string, deadline: Deadline): Promise<JobProgress | undefined>;
  abort(uuid: string, deadline: Deadline): Promise<void>;
  /** virDomainBlockCopy; `destinationXml` is a <disk> element. */
  copyDisk(uuid: string, disk: string, destinationXml: string, options: BlockCopyOptions, deadline: Deadline): Promise<void>;
  disk(uuid: string, disk: string, deadline: Deadline): Promise<BlockJob | undefined>;
  /** virDomainBlockJobAbort; `pivot` makes the copy the disk. */
  endDisk(uuid: string, disk: string, options: { readonly pivot?: boolean }, deadline: Deadline): Promise<void>;
  /** Bandwidth of a migration that runs, MiB/s. */
  setMaxSpeed(uuid: string, mibPerSecond: number, deadline: Deadline): Promise<void>;
  /** Downtime that a migration that runs may cause, ms. */
  setMaxDowntime(uuid: string, ms: number, deadline: Deadline): Promise<void>;
  /** Switches a migration that was started with POSTCOPY over. From then on the guest cannot come back. */
  startPostCopy(uuid: string, deadline: Deadline): Promise<void>;
}

/** Typed parameters of virDomainMigrate3 by libvirt's names (VIR_MIGRATE_PARAM_*). An array repeats the name, as migrate_disks does. */
export type MigrationParameters = Readonly<Record<string, string | number | bigint | readonly string[]>>;

export interface MigrationPort {
  /** Of the destination: connects to both sides, so that the first question and `migrateFrom` need not; nothing else. */
  prepare(sourceUri: string, deadline: Deadline): Promise<void>;
  /** Of the destination: virDomainMigrate3, client-managed, over the connection that answers questions too. `flags` are virDomainMigrateFlags. */
  migrateFrom(sourceUri: string, uuid: string, flags: number, parameters: MigrationParameters, deadline: Deadline): Promise<void>;
  /** Of the source: virDomainMigrateToURI3, peer to peer; its daemon connects. */
  migrateToUri(uuid: string, destinationUri: string, flags: number, parameters: MigrationParameters, deadline: Deadline): Promise<void>;
}

/** How a CPU compares with the host's (virCPUCompareResult). */
export type CpuComparison = "incompatible" | "identical" | "superset";

/** The host as libvirt describes it. */
export interface NodePort {
  capabilities(deadline: Deadline): Promise<string>;
  /** virConnectGetHostname: the name that the daemon has for its host, which may make it ask a name server. */
  hostname(deadline: Deadline): Promise<string>;
  /** virConnectGetDomainCapabilities; undefined arguments are libvirt's defaults. */
  domainCapabilities(arch: string | undefined, machine: string | undefined, type: string | undefined, deadline: Deadline): Promise<string>;
  /** virConnectBaselineCPU of one capabilities document with its features expanded: a <cpu> element. */
  baselineCpu(capabilities: string, deadline: Deadline): Promise<string>;
  /** virConnectCompareCPU. */
  compareCpu(cpuXml: string, deadline: Deadline): Promise<CpuComparison>;
  /** MHz of virNodeGetInfo; 0 when unknown. */
  cpuMhz(deadline: Deadline): Promise<number>;
}
