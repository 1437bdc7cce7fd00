import { readDomainDocument } from "../../src/codec/domain-document.ts";
import type { Deadline } from "../../src/core/deadline.ts";
import { OnevirtError, type ErrorCode, type LibvirtError } from "../../src/core/errors.ts";
import type { DomainIdentity, DomainStats, DomainStatus, Hypervisor, HypervisorVersions, ShutdownMode, StatsFields, StatsGroup, StopWatch } from "../../src/core/ports.ts";
import { DOMAIN_STATES, isActive, type DomainState } from "../../src/core/states.ts";
import type { FakeClock } from "./clock.ts";

/** A domain that a test puts in place. */
export interface FakeDomain {
  readonly name: string;
  readonly uuid: string;
  readonly state?: DomainState;
  readonly reason?: number;
  readonly persistent?: boolean;
  readonly xml?: string;
  /** Metadata elements by namespace. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fields?: StatsFields;
  readonly maxMemoryKiB?: number;
  /** What the guest does when it is asked to power off: ends after so many milliseconds, or does not hear. */
  readonly powersOffAfterMs?: number | "never";
}

type Kept = { -readonly [K in keyof Required<FakeDomain>]: Required<FakeDomain>[K] } & { id: number };

type Method = Exclude<keyof Hypervisor, "uri">;
type Behaviour<M extends Method> = (proceed: () => Promise<unknown>, ...args: Parameters<Hypervisor[M]>) => Promise<unknown>;

/** libvirt in memory: behaves as `test:///default` does (the same suite runs on both), and as the test says beyond that. */
export class FakeHypervisor implements Hypervisor, Disposable {
  readonly uri = "fake:///default";
  /** Every call in order: the method and what it is about. */
  readonly calls: string[] = [];
  /** Snapshots made known again, by domain. */
  readonly snapshots: { readonly uuid: string; readonly xml: string }[] = [];
  /** Documents that were started. */
  readonly created: string[] = [];
  readonly #domains: Kept[] = [];
  readonly #watches = new Set<{ readonly uuid: string; heard: boolean; lost: boolean }>();
  readonly #script = new Map<Method, Behaviour<Method>[]>();
  #lastId = 0;

  constructor(
    private readonly clock: FakeClock,
    domains: readonly FakeDomain[] = [],
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
      if (typeof takesEffect === "object") this.clock.after((args.at(-1) as Deadline).remainingMs() + takesEffect.afterMs, () => void proceed());
      this.clock.pass((args.at(-1) as Deadline).remainingMs());
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

  /** Sends the event alone. */
  tellStopped(uuid: string): void {
    for (const watch of this.#watches) if (watch.uuid === uuid) watch.heard = true;
  }

  /** All listeners lose their connection. */
  loseListeners(): void {
    for (const watch of this.#watches) watch.lost = true;
  }

  /** Complains about listeners that were left open, and about scripted calls that nobody made. */
  [Symbol.dispose](): void {
    if (this.#watches.size > 0) throw new Error(`FakeHypervisor: ${this.#watches.size} listener(s) left open`);
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

  domainXml(uuid: string, options: { readonly secure?: boolean }, deadline: Deadline): Promise<string> {
    return this.#play("domainXml", uuid, [uuid, options, deadline], async () => this.#get(uuid).xml);
  }

  metadata(uuid: string, namespace: string, deadline: Deadline): Promise<string | undefined> {
    return this.#play("metadata", uuid, [uuid, namespace, deadline], async () => this.#get(uuid).metadata[namespace]);
  }

  redefineSnapshot(uuid: string, xml: string, deadline: Deadline): Promise<void> {
    return this.#play("redefineSnapshot", uuid, [uuid, xml, deadline], async () => void this.snapshots.push({ uuid: this.#get(uuid).uuid, xml }));
  }

  list(deadline: Deadline): Promise<readonly DomainStatus[]> {
    return this.#play("list", "", [deadline], async () => this.#running().map(statusOf));
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

  async #play<M extends Method>(method: M, about: string, args: Parameters<Hypervisor[M]>, work: () => ReturnType<Hypervisor[M]>): Promise<Awaited<ReturnType<Hypervisor[M]>>> {
    this.calls.push(`${method} ${about}`.trimEnd());
    const text = args.find((each) => typeof each === "string" && each.includes("\0"));
    if (text !== undefined) throw refusal("BAD_ARGUMENT", `Cannot ${method}: the text holds a NUL character`);
    if ((args.at(-1) as Deadline).expired) throw refusal("TIMED_OUT", `Cannot ${method}: no time left`);
    const behaviour = this.#script.get(method)?.shift() as Behaviour<M> | undefined;
    return (await (behaviour ? behaviour(work, ...args) : work())) as Awaited<ReturnType<Hypervisor[M]>>;
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

function statusOf({ name, uuid, id, state, reason }: Kept): DomainStatus {
  return { name, uuid, id, state, reason };
}

/** State and interfaces come from libvirt; disks only from a QEMU that answers, so only when the test gave them. */
function fieldsOf({ state, reason, fields }: Kept, groups: readonly StatsGroup[]): StatsFields {
  const prefixes: Readonly<Record<StatsGroup, string>> = { state: "state.", cpu: "cpu.", balloon: "balloon.", vcpu: "vcpu.", interface: "net.", block: "block." };
  const wanted = Object.entries(fields).filter(([name]) => groups.some((group) => name.startsWith(prefixes[group])));
  return { ...(groups.includes("state") ? { "state.state": DOMAIN_STATES.indexOf(state), "state.reason": reason } : {}), ...Object.fromEntries(wanted) };
}

function parsed(xml: string) {
  try {
    return readDomainDocument(xml, "the domain");
  } catch (cause) {
    throw refusal("LIBVIRT_FAILED", `Cannot create the domain: XML error`, { code: 35, domain: 20, text: String(cause) });
  }
}

function refusal(code: ErrorCode, message: string, libvirt?: LibvirtError): OnevirtError {
  return new OnevirtError(code, message, libvirt ? { libvirt } : {});
}
