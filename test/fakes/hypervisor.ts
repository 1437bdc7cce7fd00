import type { Deadline } from "../../src/core/deadline.ts";
import type { ErrorCode, LibvirtError, OnevirtError } from "../../src/core/errors.ts";
import type {
  DevicePort, DomainIdentity, DomainStats, DomainStatus, GuestPort, Hypervisor, HypervisorVersions, JobPort, LifecycleEvent, LifecycleWatch, MigrationPort, NodePort, SaveImagePort,
  ShutdownMode, SnapshotPort, StatsGroup, StopWatch,
} from "../../src/core/ports.ts";
import { isActive, type DomainState } from "../../src/core/states.ts";
import type { FakeClock } from "./clock.ts";
import { type FakeDomain, fieldsOf, type Kept, parsed, refusal, statusOf } from "./domain.ts";
import { FakeParts } from "./hypervisor-parts.ts";

type PortName = "devices" | "snapshots" | "images" | "guest" | "jobs" | "migration" | "node";
type PortMethod = { [P in PortName]: `${P}.${Extract<keyof Hypervisor[P], string>}` }[PortName];
type Method = Exclude<keyof Hypervisor, "uri" | PortName> | PortMethod;
type CallOf<M extends Method> = M extends keyof Hypervisor ? Hypervisor[M] : M extends `${infer P extends PortName}.${infer K}` ? (K extends keyof Hypervisor[P] ? Hypervisor[P][K] : never) : never;
type Arguments<M extends Method> = CallOf<M> extends (...args: infer A) => unknown ? A : never;
type Result<M extends Method> = CallOf<M> extends (...args: never[]) => infer T ? T : never;
type Behaviour<M extends Method> = (proceed: () => Promise<unknown>, ...args: Arguments<M>) => Promise<unknown>;

/** libvirt in memory: behaves as `test:///default` does (the same suite runs on both), and as the test says beyond that. */
export class FakeHypervisor implements Hypervisor, Disposable {
  /** Every call in order: the method and what it is about. */
  readonly calls: string[] = [];
  #listed: readonly DomainStatus[] = [];
  /** Snapshots made known again, by domain. */
  readonly redefined: { readonly uuid: string; readonly xml: string }[] = [];
  /** What the parts of the fake remember and can be told. */
  readonly parts = new FakeParts((uuid) => this.#active(uuid, "change"), (domain) => void this.put(domain), (uuid) => this.end(uuid), (uuid) => this.restart(uuid), this.redefined);
  readonly devices = this.#port<DevicePort>("devices", this.parts.devices);
  readonly snapshots = this.#port<SnapshotPort>("snapshots", this.parts.snapshots);
  readonly images = this.#port<SaveImagePort>("images", this.parts.images);
  readonly guest = this.#port<GuestPort>("guest", this.parts.guest);
  readonly jobs = this.#port<JobPort>("jobs", this.parts.jobs);
  readonly migration = this.#port<MigrationPort>("migration", this.parts.migration);
  readonly node = this.#port<NodePort>("node", this.parts.node);
  /** Documents that were started. */
  readonly created: string[] = [];
  readonly #domains: Kept[] = [];
  readonly #watches = new Set<{ readonly uuid: string; heard: boolean; lost: boolean }>();
  readonly #lifecycles = new Set<{ report(event: LifecycleEvent): void; lose(error: OnevirtError): void }>();
  readonly #script = new Map<Method, Behaviour<Method>[]>();
  #lastId = 0;

  constructor(
    private readonly clock: FakeClock,
    domains: readonly FakeDomain[] = [],
    readonly uri = "fake:///default",
  ) {
    for (const domain of domains) this.put(domain);
  }

  /** Puts a domain in place, as if it had always been there. */
  put(domain: FakeDomain): DomainIdentity {
    const { state = "running", reason = 1, persistent = false, metadata = {}, fields = {}, maxMemoryKiB = 65536, powersOffAfterMs = 0 } = domain;
    const xml = domain.xml ?? `<domain type='test'><name>${domain.name}</name><uuid>${domain.uuid}</uuid></domain>`;
    const kept = { ...domain, state, reason, persistent, xml, metadata, fields, maxMemoryKiB, powersOffAfterMs, id: isActive(state) ? ++this.#lastId : -1 };
    this.#domains.push(kept);
    return kept;
  }

  /** Replaces the next call of a method; `proceed` is what it would have done. */
  next<M extends Method>(method: M, behaviour: Behaviour<M>): this {
    this.#script.set(method, [...(this.#script.get(method) ?? []), behaviour as unknown as Behaviour<Method>]);
    return this;
  }

  /** The next calls of a method fail like this. */
  fails(method: Method, code: ErrorCode, { times = 1, libvirt }: { readonly times?: number; readonly libvirt?: LibvirtError } = {}): this {
    for (let left = times; left > 0; left--) this.next(method, () => Promise.reject(refusal(code, `Cannot ${method}: scripted ${code}`, libvirt)));
    return this;
  }

  /** The next call of a method gives no answer until its deadline. What was asked for happens never, before, or so long after. */
  hangs(method: Method, takesEffect: "never" | "at once" | { readonly afterMs: number } = "never"): this {
    return this.next(method, async (proceed, ...args) => {
      if (takesEffect === "at once") await proceed();
      if (typeof takesEffect === "object") this.clock.after(deadlineOf(args).remainingMs() + takesEffect.afterMs, () => void proceed());
      this.clock.pass(deadlineOf(args).remainingMs());
      throw refusal("TIMED_OUT", `Cannot ${method}: no answer from ${this.uri}`);
    });
  }

  /** The connection breaks during the next call of a method, after or before what was asked for has happened. */
  breaks(method: Method, { done }: { readonly done: boolean }): this {
    return this.next(method, async (proceed, ..._args) => {
      if (done) await proceed();
      throw refusal("CONNECTION_LOST", `Cannot ${method}: the connection was lost`);
    });
  }

  /** Behaves again as it always does: what was scripted and not used is dropped. */
  forget(): void {
    this.#script.clear();
  }

  /** The domain ends, as when the guest powers off. */
  end(uuid: string): void {
    const domain = this.#domains.find((each) => each.uuid === uuid);
    if (!domain) return;
    if (domain.persistent) Object.assign(domain, { state: "shutoff", reason: 1, id: -1 });
    else this.#domains.splice(this.#domains.indexOf(domain), 1);
    this.tellStopped(uuid);
  }

  /** Another state, as when somebody else pauses the domain. */
  become(uuid: string, state: DomainState, reason = 0): void {
    Object.assign(this.#get(uuid), { state, reason });
  }

  /** The domain goes on in another process, which has another number. */
  restart(uuid: string): void {
    Object.assign(this.#get(uuid), { id: ++this.#lastId });
  }

  /** Sends the event alone. */
  tellStopped(uuid: string): void {
    for (const watch of this.#watches) if (watch.uuid === uuid) watch.heard = true;
  }

  /** Something happens to a domain, as libvirt tells it. */
  tell(event: LifecycleEvent): void {
    for (const each of this.#lifecycles) each.report(event);
    if (event.kind === "stopped") this.tellStopped(event.uuid);
  }

  /** All listeners lose their connection. */
  loseListeners(): void {
    for (const watch of this.#watches) watch.lost = true;
    for (const each of this.#lifecycles) each.lose(refusal("CONNECTION_LOST", "the connection was closed"));
  }

  /** Complains about listeners that were left open, and about scripted calls that nobody made. */
  [Symbol.dispose](): void {
    const open = this.#watches.size + this.#lifecycles.size + this.parts.openWatches;
    if (open > 0) throw new Error(`FakeHypervisor: ${open} listener(s) left open`);
    const left = [...this.#script].filter(([, behaviours]) => behaviours.length > 0).map(([method]) => method);
    if (left.length > 0) throw new Error(`FakeHypervisor: expected another call of ${left.join(", ")}`);
  }

  find(ref: string, deadline: Deadline): Promise<DomainStatus | undefined> {
    return this.#play("find", ref, [ref, deadline], async () => {
      const domain = this.#find(ref);
      return domain && statusOf(domain);
    });
  }

  create(xml: string, deadline: Deadline): Promise<DomainIdentity> {
    return this.#play("create", "", [xml, deadline], async () => {
      const { name, uuid = crypto.randomUUID() } = parsed(xml);
      const [byName, byUuid] = [this.#domains.find((each) => each.name === name), this.#domains.find((each) => each.uuid === uuid)];
      if (byName && byName.uuid !== uuid) throw refusal("LIBVIRT_FAILED", `Cannot create the domain: operation failed: domain '${name}' already exists with uuid ${byName.uuid}`, { code: 9, domain: 20, text: "already exists" });
      if (byUuid && isActive(byUuid.state)) throw refusal("INVALID_STATE", `Cannot create the domain: Requested operation is not valid: domain '${name}' is already active`, { code: 55, domain: 20, text: "already active" });
      this.created.push(xml);
      const { id } = this.put({ name, uuid, xml });
      return { name, uuid, id };
    });
  }

  destroy(uuid: string, deadline: Deadline): Promise<void> {
    return this.#play("destroy", uuid, [uuid, deadline], async () => this.end(this.#active(uuid, "destroy").uuid));
  }

  shutdown(uuid: string, mode: ShutdownMode, deadline: Deadline): Promise<void> {
    return this.#play("shutdown", `${uuid} ${mode}`, [uuid, mode, deadline], async () => {
      const { state, powersOffAfterMs } = this.#active(uuid, "shut down");
      if (state !== "running") throw refusal("INVALID_STATE", `Cannot shut down domain ${uuid}: domain is not running`, { code: 55, domain: 10, text: "domain is not running" });
      if (powersOffAfterMs === 0) this.end(uuid);
      else if (powersOffAfterMs !== "never") this.clock.after(powersOffAfterMs, () => this.end(uuid));
    });
  }

  reboot(uuid: string, deadline: Deadline): Promise<void> {
    return this.#play("reboot", uuid, [uuid, deadline], async () => void this.#active(uuid, "reboot"));
  }

  reset(uuid: string, deadline: Deadline): Promise<void> {
    return this.#play("reset", uuid, [uuid, deadline], async () => void this.#active(uuid, "reset"));
  }

  watchStop(uuid: string, deadline: Deadline): Promise<StopWatch> {
    return this.#play("watchStop", uuid, [uuid, deadline], async () => {
      const watch = { uuid, heard: false, lost: false };
      this.#watches.add(watch);
      return {
        stopped: async (until: Deadline) => this.clock.passUntil(() => watch.heard || watch.lost, until) && watch.heard,
        [Symbol.dispose]: () => void this.#watches.delete(watch),
      };
    });
  }

  watchLifecycle(report: (event: LifecycleEvent) => void, deadline: Deadline): Promise<LifecycleWatch> {
    return this.#play("watchLifecycle", "", [report, deadline], async () => {
      const { promise: lost, resolve: lose } = Promise.withResolvers<OnevirtError>();
      const watch = { report, lose };
      this.#lifecycles.add(watch);
      return { lost, [Symbol.dispose]: () => void this.#lifecycles.delete(watch) };
    });
  }

  domainXml(uuid: string, options: { readonly secure?: boolean }, deadline: Deadline): Promise<string> {
    return this.#play("domainXml", uuid, [uuid, options, deadline], async () => this.#get(uuid).xml);
  }

  metadata(uuid: string, namespace: string, deadline: Deadline): Promise<string | undefined> {
    return this.#play("metadata", uuid, [uuid, namespace, deadline], async () => this.#get(uuid).metadata[namespace]);
  }

  setMetadata(uuid: string, namespace: string, key: string, xml: string, deadline: Deadline): Promise<void> {
    return this.#play("setMetadata", uuid, [uuid, namespace, key, xml, deadline], async () => {
      const domain = this.#active(uuid, "change");
      domain.metadata = { ...domain.metadata, [namespace]: xml };
    });
  }

  suspend(uuid: string, deadline: Deadline): Promise<void> {
    return this.#play("suspend", uuid, [uuid, deadline], async () => void Object.assign(this.#active(uuid, "suspend"), { state: "paused", reason: 1 }));
  }

  resume(uuid: string, deadline: Deadline): Promise<void> {
    return this.#play("resume", uuid, [uuid, deadline], async () => void Object.assign(this.#active(uuid, "resume"), { state: "running", reason: 5 }));
  }

  wakeUp(uuid: string, deadline: Deadline): Promise<void> {
    return this.#play("wakeUp", uuid, [uuid, deadline], async () => void Object.assign(this.#active(uuid, "wake up"), { state: "running", reason: 7 }));
  }

  undefine(uuid: string, deadline: Deadline): Promise<void> {
    return this.#play("undefine", uuid, [uuid, deadline], async () => {
      const domain = this.#get(uuid);
      if (isActive(domain.state)) domain.persistent = false;
      else this.#domains.splice(this.#domains.indexOf(domain), 1);
    });
  }

  /** As the port promises. */
  #sameWhileUnchanged(domains: readonly DomainStatus[]): readonly DomainStatus[] {
    return Bun.deepEquals(domains, this.#listed) ? this.#listed : (this.#listed = domains);
  }

  list(deadline: Deadline): Promise<readonly DomainStatus[]> {
    return this.#play("list", "", [deadline], async () => this.#sameWhileUnchanged(this.#running().map(statusOf)));
  }

  stats(groups: readonly StatsGroup[], uuids: readonly string[] | undefined, deadline: Deadline): Promise<readonly DomainStats[]> {
    return this.#play("stats", `${groups.join("+")} ${uuids?.join(",") ?? "all"}`, [groups, uuids, deadline], async () =>
      this.#running().filter(({ uuid }) => uuids?.includes(uuid) ?? true).map((domain) => ({ name: domain.name, uuid: domain.uuid, id: domain.id, fields: fieldsOf(domain, groups) })),
    );
  }

  maxMemoryKiB(uuids: readonly string[], deadline: Deadline): Promise<Readonly<Record<string, number>>> {
    return this.#play("maxMemoryKiB", uuids.join(","), [uuids, deadline], async () =>
      Object.fromEntries(this.#domains.filter(({ uuid }) => uuids.includes(uuid)).map(({ uuid, maxMemoryKiB }) => [uuid, maxMemoryKiB])),
    );
  }

  versions(deadline: Deadline): Promise<HypervisorVersions> {
    return this.#play("versions", "", [deadline], async () => ({ library: "9.0.0", daemon: "9.0.0", type: "TEST" }));
  }

  /** The operations of a part, recorded and scripted as all others, under the name `part.operation`. */
  #port<P extends object>(name: PortName, part: P): P {
    const operations = Object.entries(part as Record<string, (...args: unknown[]) => Promise<unknown>>).map(([operation, work]) => [
      operation,
      (...args: unknown[]) => this.#play(`${name}.${operation}` as Method, aboutOf(args), args as never, () => work(...args) as never),
    ]);
    return Object.fromEntries(operations) as P;
  }

  async #play<M extends Method>(method: M, about: string, args: Arguments<M>, work: () => Result<M>): Promise<Awaited<Result<M>>> {
    this.calls.push(`${method} ${about}`.trimEnd());
    const all = args as readonly unknown[];
    const text = all.find((each) => typeof each === "string" && each.includes("\0"));
    if (text !== undefined) throw refusal("BAD_ARGUMENT", `Cannot ${method}: the text holds a NUL character`);
    if (deadlineOf(all).expired) throw refusal("TIMED_OUT", `Cannot ${method}: no time left`);
    const behaviour = this.#script.get(method)?.shift() as Behaviour<M> | undefined;
    return (await (behaviour ? behaviour(work as () => Promise<unknown>, ...args) : work())) as Awaited<Result<M>>;
  }

  /** In virsh's order: number, UUID, name. */
  #find(ref: string): Kept | undefined {
    const by = (same: (domain: Kept) => boolean) => this.#domains.find(same);
    return (/^\d+$/.test(ref) ? by(({ id }) => id === Number(ref)) : undefined) ?? by(({ uuid }) => uuid === ref.toLowerCase()) ?? by(({ name }) => name === ref);
  }

  #get(uuid: string): Kept {
    const domain = this.#domains.find((each) => each.uuid === uuid.toLowerCase());
    if (!domain) throw refusal("DOMAIN_NOT_FOUND", `Cannot find domain ${uuid}: Domain not found`, { code: 42, domain: 12, text: "Domain not found" });
    return domain;
  }

  #active(uuid: string, doing: string): Kept {
    const domain = this.#get(uuid);
    if (!isActive(domain.state)) throw refusal("INVALID_STATE", `Cannot ${doing} domain ${uuid}: domain is not running`, { code: 55, domain: 12, text: "domain is not running" });
    return domain;
  }

  #running(): readonly Kept[] {
    return this.#domains.filter(({ state }) => isActive(state)).sort((a, b) => a.id - b.id);
  }
}

function deadlineOf(args: readonly unknown[]): Deadline {
  return args.at(-1) as Deadline;
}

/** What a call is about: its short texts. */
function aboutOf(args: readonly unknown[]): string {
  return args.filter((each) => typeof each === "number" || (typeof each === "string" && !each.includes("<"))).join(" ");
}
