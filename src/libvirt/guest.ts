import { ptr, type Pointer } from "bun:ffi";
import type { DomainAccess } from "./domain-access.ts";
import { VIR } from "./numbers.ts";

/** The agent inside a guest, whole and blocking: the thread's side of `GuestPort`. */
export class BlockingGuest {
  constructor(private readonly access: DomainAccess) {}

  /** `seconds` is libvirt's own limit for the answer, at least 1. */
  command(uuid: string, json: string, seconds: number): string {
    return this.access.text(uuid, `ask the guest agent of domain ${uuid}`, (domain) => this.#calls.virDomainQemuAgentCommand(domain, json, seconds, 0));
  }

  freeze(uuid: string, mountPoints: readonly string[] | undefined): number {
    return this.#fileSystems(uuid, "freeze", mountPoints, (domain, list, count) => this.#calls.virDomainFSFreeze(domain, list, count, 0));
  }

  thaw(uuid: string, mountPoints: readonly string[] | undefined): number {
    return this.#fileSystems(uuid, "thaw", mountPoints, (domain, list, count) => this.#calls.virDomainFSThaw(domain, list, count, 0));
  }

  syncTime(uuid: string): void {
    this.access.run(uuid, `set the clock of domain ${uuid}`, (domain) => this.#calls.virDomainSetTime(domain, 0n, 0, VIR.VIR_DOMAIN_TIME_SYNC));
  }

  get #calls() {
    return this.access.library.calls;
  }

  #fileSystems(uuid: string, verb: string, mountPoints: readonly string[] | undefined, call: (domain: Pointer, list: BigUint64Array | null, count: number) => number): number {
    const texts = (mountPoints ?? []).map((path) => Buffer.from(`${path}\0`));
    const list = texts.length === 0 ? null : new BigUint64Array(texts.map((text) => BigInt(ptr(text))));
    const count = this.access.number(uuid, `${verb} the file systems of domain ${uuid}`, (domain) => call(domain, list, texts.length));
    texts.length = 0; // the texts had to live until here
    return count;
  }
}
