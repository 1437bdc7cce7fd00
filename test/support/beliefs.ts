/** States of a VM that a report can lead to. */
export type Believed = "RUNNING" | "UNKNOWN" | "SUSPENDED" | "POWEROFF";

/** How long oned is deaf to a VM that has entered or left RUNNING. */
const DEAF_MS = 30_000;

/** What a reported state leads to, and in which states of the VM it does. */
const EFFECTS: Readonly<Record<string, { readonly to: Believed; readonly from: readonly Believed[] }>> = {
  RUNNING: { to: "RUNNING", from: ["POWEROFF", "SUSPENDED", "UNKNOWN"] },
  FAILURE: { to: "UNKNOWN", from: ["RUNNING"] },
  SUSPENDED: { to: "SUSPENDED", from: ["RUNNING", "UNKNOWN"] },
  POWEROFF: { to: "POWEROFF", from: ["RUNNING", "UNKNOWN"] },
};

/** What oned believes of its VMs, of which it ignores what comes too soon, and does not ask again (monitoring.md 10.2). */
export class Beliefs {
  readonly #vms = new Map<number, { readonly state: Believed; readonly since: number }>();

  constructor(private readonly deafMs = DEAF_MS) {}

  /** An action has brought the VM into a state, at a time of the monotonic kind. Of others nothing is believed. */
  begin(id: number, state: Believed, at: number): void {
    this.#vms.set(id, { state, since: at });
  }

  of(id: number): Believed | undefined {
    return this.#vms.get(id)?.state;
  }

  /** One report of states. Who is missing in a complete one is off at once, however new it is. */
  hear(text: string, at: number): void {
    const reported = new Map([...text.matchAll(/^VM = \[ ID="(\d+)", .*STATE="(\w+)" \]$/gm)].map(([, id, state = ""]) => [Number(id), state]));
    const missing = /^SYNC_STATE=yes\nMISSING_STATE=POWEROFF$/m.test(text) ? [...this.#vms.keys()].filter((id) => !reported.has(id)) : [];
    for (const [id, state] of reported) if (at - (this.#vms.get(id)?.since ?? at) >= this.deafMs) this.#apply(id, state, at);
    for (const id of missing) this.#apply(id, "POWEROFF", at);
  }

  #apply(id: number, reported: string, at: number): void {
    const known = this.#vms.get(id);
    const effect = EFFECTS[reported];
    if (!known || !effect?.from.includes(known.state)) return;
    this.#vms.set(id, { state: effect.to, since: known.state === "RUNNING" || effect.to === "RUNNING" ? at : known.since });
  }
}
