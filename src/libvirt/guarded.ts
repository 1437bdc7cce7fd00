import { OnevirtError } from "../core/errors.ts";
import type { Deadline } from "../core/deadline.ts";
import type { DomainIdentity, DomainStats, DomainStatus, Hypervisor, HypervisorVersions, ShutdownMode, StatsGroup, StopWatch, Tracer } from "../core/ports.ts";
import { StopListener } from "./stop-listener.ts";
import type { BlockingHypervisor } from "./hypervisor.ts";
import type { Operation, Start } from "./protocol.ts";
import { WorkerCall, type WorkerFactory } from "./worker-call.ts";

export interface GuardedOptions {
  readonly uri: string;
  /** Enough for whatever only looks; polkit and libvirt then refuse changes. */
  readonly readOnly?: boolean;
  readonly startWorker: WorkerFactory;
  readonly trace?: string | undefined;
  readonly tracer?: Tracer | undefined;
  readonly libraryPaths?: readonly string[] | undefined;
}

/**
 * The `Hypervisor` port over libvirt. The blocking object lives in a worker thread with a connection of its own; when a call
 * outlives its deadline the whole thread is abandoned, and the next call starts a new one. Abandoned is not cancelled.
 */
export class GuardedHypervisor implements Hypervisor, Disposable {
  readonly uri: string;
  #worker: WorkerCall | undefined;
  #listener: StopListener | undefined;

  constructor(private readonly options: GuardedOptions) {
    this.uri = options.uri;
  }

  /** Starts the worker thread now, so that it is ready when the first call comes. */
  warm(): void {
    this.#worker ??= new WorkerCall(this.options.startWorker, this.#start("operations"));
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
  redefineSnapshot(uuid: string, xml: string, deadline: Deadline): Promise<void> {
    return this.#call("redefineSnapshot", [uuid, xml], `redefine a snapshot of domain ${uuid}`, deadline);
  }
  list(deadline: Deadline): Promise<readonly DomainStatus[]> {
    return this.#call("list", [], "list domains", deadline);
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

  async watchStop(uuid: string, deadline: Deadline): Promise<StopWatch> {
    if (this.#listener?.lost) this.#forgetListener();
    this.#listener ??= new StopListener(this.options.startWorker, this.#start("listener"));
    try {
      return await this.#listener.watch(uuid, deadline);
    } catch (error) {
      this.#forgetListener(); // it may never be ready: the next one starts afresh
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#forgetListener();
    this.#worker?.[Symbol.dispose]();
    this.#worker = undefined;
  }

  #forgetListener(): void {
    this.#listener?.[Symbol.dispose]();
    this.#listener = undefined;
  }

  async #call<O extends Operation>(operation: O, args: Parameters<BlockingHypervisor[O]>, doing: string, deadline: Deadline): Promise<ReturnType<BlockingHypervisor[O]>> {
    this.warm();
    const worker = this.#worker as WorkerCall;
    const limitMs = deadline.remainingMs();
    const outcome = await worker.request(operation, args, limitMs);
    if (outcome !== "late") return outcome.result as ReturnType<BlockingHypervisor[O]>;
    this.options.tracer?.note("worker", `${operation} abandoned`, limitMs, "no answer");
    worker.abandon();
    if (this.#worker === worker) this.#worker = undefined;
    throw new OnevirtError("TIMED_OUT", `Cannot ${doing}: no answer from ${this.uri} within ${seconds(limitMs)} s`);
  }

  #start(role: Start["role"]): Start {
    const { uri, readOnly = false, trace, libraryPaths } = this.options;
    return { role, uri, readOnly, trace, end: new Int32Array(new SharedArrayBuffer(4)), ...(libraryPaths ? { libraryPaths } : {}) };
  }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(ms < 10_000 ? 1 : 0).replace(/\.0$/, "");
}
