import type { Deadline } from "../core/deadline.ts";
import type { DomainIdentity, DomainStats, DomainStatus, Hypervisor, HypervisorVersions, ShutdownMode, StatsGroup, StopWatch } from "../core/ports.ts";
import { type GuardedOptions, GuardedThread, startOf } from "./guarded-thread.ts";
import type { ArgumentsOf, Operation, ResultOf } from "./protocol.ts";
import { StopListener } from "./stop-listener.ts";

/**
 * The `Hypervisor` port over libvirt: the blocking object in a thread that is abandoned when a call outlives its deadline
 * (guarded-thread.ts), and a second thread that listens to events.
 */
export class GuardedHypervisor implements Hypervisor, Disposable {
  readonly uri: string;
  readonly #thread: GuardedThread<"operations">;
  #listener: StopListener | undefined;

  constructor(private readonly options: GuardedOptions) {
    this.uri = options.uri;
    this.#thread = new GuardedThread("operations", options);
  }

  /** Starts the worker thread now, so that it is ready when the first call comes. */
  warm(): void {
    this.#thread.warm();
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
    this.#listener ??= new StopListener(this.options.startWorker, startOf("listener", this.options));
    try {
      return await this.#listener.watch(uuid, deadline);
    } catch (error) {
      this.#forgetListener(); // it may never be ready: the next one starts afresh
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#forgetListener();
    this.#thread[Symbol.dispose]();
  }

  #forgetListener(): void {
    this.#listener?.[Symbol.dispose]();
    this.#listener = undefined;
  }

  #call<O extends Operation<"operations">>(operation: O, args: ArgumentsOf<"operations", O>, doing: string, deadline: Deadline): Promise<ResultOf<"operations", O>> {
    return this.#thread.call(operation, args, doing, deadline);
  }
}
