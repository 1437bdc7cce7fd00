import type { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import type {
  DevicePort, DomainIdentity, DomainStats, DomainStatus, GuestPort, Hypervisor, HypervisorVersions, JobPort, LifecycleEvent, LifecycleWatch, MigrationPort, NodePort,
  SaveImagePort, ShutdownMode, SnapshotPort, StatsGroup, StopWatch,
} from "../core/ports.ts";
import { AbandonedThreads } from "./abandoned-threads.ts";
import { DOING } from "./doing.ts";
import { EventListener } from "./event-listener.ts";
import { guardedPort } from "./guarded-port.ts";
import { type GuardedOptions, GuardedThread, startOf } from "./guarded-thread.ts";
import type { ArgumentsOf, Operation, ResultOf } from "./protocol.ts";
import { SpareThreads } from "./spare-threads.ts";
import { watchLifecycle, watchRemoval, watchStop } from "./watches.ts";

/** Listeners that may still be on their way to a daemon that does not answer. */
const MOST_LISTENERS = 4;

/**
 * The `Hypervisor` port over libvirt: blocking objects in threads that are abandoned when a call outlives its deadline
 * (guarded-thread.ts), each started on first use, and one thread that listens to events.
 */
export class GuardedHypervisor implements Hypervisor, Disposable {
  readonly uri: string;
  readonly devices: DevicePort;
  readonly snapshots: SnapshotPort;
  readonly images: SaveImagePort;
  readonly guest: GuestPort;
  readonly jobs: JobPort;
  readonly migration: MigrationPort;
  readonly node: NodePort;
  readonly #operations: SpareThreads<"operations" | "elsewhere">;
  readonly #others: readonly Disposable[];
  readonly #abandoned = new AbandonedThreads(MOST_LISTENERS);
  #listener: EventListener | undefined;
  #listed: { readonly hash: bigint; readonly domains: readonly DomainStatus[] } | undefined;

  constructor(private readonly options: GuardedOptions) {
    this.uri = options.uri;
    this.#operations = new SpareThreads<"operations" | "elsewhere">(options.elsewhere ? "elsewhere" : "operations", options);
    const [long, jobs, peerToPeer] = [new GuardedThread("long", { ...options, startWorker: options.startLongWorker ?? options.startWorker }), new GuardedThread("jobs", options), new GuardedThread("migration", options)];
    this.#others = [long, jobs, peerToPeer];
    const guest = guardedPort(this.#operations, "guest", DOING.guest);
    this.devices = {
      ...guardedPort(this.#operations, "devices", DOING.devices),
      watchRemoval: (uuid, alias, deadline) => this.#listening((listener) => watchRemoval(listener, uuid, alias, deadline), deadline),
    };
    this.guest = { ...guest, command: (uuid, json, deadline) => guest.command(uuid, json, agentSeconds(deadline), deadline) };
    const { names, current, xml } = guardedPort(this.#operations, "snapshots", DOING.snapshots);
    this.snapshots = { ...guardedPort(long, "snapshots", DOING.snapshots), names, current, xml };
    this.images = guardedPort(long, "images", DOING.images);
    this.jobs = guardedPort(jobs, "jobs", DOING.jobs);
    this.migration = { ...guardedPort(this.#operations, "migration", DOING.migration), migrateToUri: guardedPort(peerToPeer, "migration", DOING.migration).migrateToUri };
    this.node = guardedPort(this.#operations, "node", DOING.node);
  }

  /** Starts the worker thread now, so that it is ready when the first call comes. */
  warm(): void {
    this.#operations.warm();
  }

  find(ref: string, deadline: Deadline): Promise<DomainStatus | undefined> {
    return this.#call("find", [ref], `find domain "${ref}"`, deadline);
  }
  create(xml: string, deadline: Deadline): Promise<DomainIdentity> {
    return this.#call("create", [xml], "create the domain", deadline);
  }
  destroy(uuid: string, deadline: Deadline): Promise<void> {
    return this.#call("destroy", [uuid], `destroy domain ${uuid}`, deadline);
  }
  shutdown(uuid: string, mode: ShutdownMode, deadline: Deadline): Promise<void> {
    return this.#call("shutdown", [uuid, mode], `shut down domain ${uuid}`, deadline);
  }
  reboot(uuid: string, deadline: Deadline): Promise<void> {
    return this.#call("reboot", [uuid], `reboot domain ${uuid}`, deadline);
  }
  reset(uuid: string, deadline: Deadline): Promise<void> {
    return this.#call("reset", [uuid], `reset domain ${uuid}`, deadline);
  }
  domainXml(uuid: string, options: { readonly secure?: boolean }, deadline: Deadline): Promise<string> {
    return this.#call("domainXml", [uuid, options], `read the document of domain ${uuid}`, deadline);
  }
  metadata(uuid: string, namespace: string, deadline: Deadline): Promise<string | undefined> {
    return this.#call("metadata", [uuid, namespace], `read the metadata of domain ${uuid}`, deadline);
  }
  setMetadata(uuid: string, namespace: string, key: string, xml: string, deadline: Deadline): Promise<void> {
    return this.#call("setMetadata", [uuid, namespace, key, xml], `set the metadata of domain ${uuid}`, deadline);
  }
  suspend(uuid: string, deadline: Deadline): Promise<void> {
    return this.#call("suspend", [uuid], `suspend domain ${uuid}`, deadline);
  }
  resume(uuid: string, deadline: Deadline): Promise<void> {
    return this.#call("resume", [uuid], `resume domain ${uuid}`, deadline);
  }
  wakeUp(uuid: string, deadline: Deadline): Promise<void> {
    return this.#call("wakeUp", [uuid], `wake up domain ${uuid}`, deadline);
  }
  undefine(uuid: string, deadline: Deadline): Promise<void> {
    return this.#call("undefine", [uuid], `undefine domain ${uuid}`, deadline);
  }
  /** The very same array while nothing has changed and the same thread answers: who looks every few seconds need not look again at each domain. */
  async list(deadline: Deadline): Promise<readonly DomainStatus[]> {
    const known = this.#listed;
    const { hash, domains = [] } = await this.#call("listSince", [known?.hash], "list domains", deadline);
    if (known?.hash === hash) return known.domains;
    this.#listed = { hash, domains };
    return domains;
  }
  stats(groups: readonly StatsGroup[], uuids: readonly string[] | undefined, deadline: Deadline): Promise<readonly DomainStats[]> {
    return this.#call("stats", [groups, uuids], "read statistics", deadline);
  }
  maxMemoryKiB(uuids: readonly string[], deadline: Deadline): Promise<Readonly<Record<string, number>>> {
    return this.#call("maxMemoryKiB", [uuids], "read the memory of domains", deadline);
  }
  versions(deadline: Deadline): Promise<HypervisorVersions> {
    return this.#call("versions", [], "read libvirt's versions", deadline);
  }

  watchStop(uuid: string, deadline: Deadline): Promise<StopWatch> {
    return this.#listening((listener) => watchStop(listener, uuid, deadline), deadline);
  }
  watchLifecycle(report: (event: LifecycleEvent) => void, deadline: Deadline): Promise<LifecycleWatch> {
    return this.#listening((listener) => watchLifecycle(listener, report, deadline), deadline);
  }

  [Symbol.dispose](): void {
    this.#forgetListener();
    this.#operations[Symbol.dispose]();
    for (const thread of this.#others) thread[Symbol.dispose]();
  }

  async #listening<T>(work: (listener: EventListener) => Promise<T>, deadline: Deadline): Promise<T> {
    if (this.#listener?.lost) this.#forgetListener();
    if (!this.#listener && !(await this.#abandoned.haveRoom(deadline))) throw new OnevirtError("TIMED_OUT", `Cannot listen to events: no answer from ${this.uri}`);
    this.#listener ??= new EventListener(this.options.startWorker, startOf("listener", this.options));
    try {
      return await work(this.#listener);
    } catch (error) {
      this.#forgetListener(); // it may never be ready: the next one starts afresh
      throw error;
    }
  }

  #forgetListener(): void {
    if (this.#listener) this.#abandoned.add(this.#listener.abandon());
    this.#listener = undefined;
  }

  #call<M extends Operation<"hypervisor">>(operation: M, args: ArgumentsOf<"hypervisor", M>, doing: string, deadline: Deadline): Promise<ResultOf<"hypervisor", M>> {
    return this.#operations.call("hypervisor", operation, args, doing, deadline);
  }
}

/** libvirt's own limit for an answer of the agent: in whole seconds, and over before ours. */
function agentSeconds(deadline: Deadline): number {
  return Math.max(1, Math.min(Math.floor(deadline.remainingMs() / 1000 - 0.5), 0x7fff_ffff));
}
