import { read, type Pointer } from "bun:ffi";
import type { OnevirtError } from "../core/errors.ts";
import type { DomainIdentity } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import type { DomainAccess } from "./domain-access.ts";
import { Handle } from "./handle.ts";
import { identify } from "./identity.ts";
import { VIR } from "./numbers.ts";

/** What is kept, from the most careful on. KEEP_TPM came with 8.9; a driver that has no such files knows none of these flags. */
const KEEPING = [VIR.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR.VIR_DOMAIN_UNDEFINE_KEEP_TPM, VIR.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM] as const;

/** What a driver says to a flag that it does not know; nothing was done then. */
const FLAG_REFUSED: ReadonlySet<number | undefined> = new Set([VIR.VIR_ERR_INVALID_ARG, VIR.VIR_ERR_ARGUMENT_UNSUPPORTED]);

/** Definitions, for whoever wants libvirt's judgement of a document: whole and blocking, as in hypervisor.ts, and served by a thread of its own. */
export class BlockingJudge {
  constructor(private readonly access: DomainAccess) {}

  define(xml: string, { schema }: { readonly schema: boolean }): DomainIdentity {
    const connection = this.access.open();
    const pointer = this.access.library.calls.virDomainDefineXMLFlags(connection.pointer, xml, schema ? VIR.VIR_DOMAIN_DEFINE_VALIDATE : 0);
    if (pointer === null) throw connection.error("define the domain");
    using domain = new Handle(this.access.library, "domain", pointer);
    return identify(connection, domain.pointer);
  }

  undefine(name: string): void {
    const connection = this.access.open();
    const pointer = this.access.library.calls.virDomainLookupByName(connection.pointer, name);
    if (pointer === null) throw connection.error(`find domain "${name}"`);
    using domain = new Handle(this.access.library, "domain", pointer);
    const refusal = this.#undefineKeeping(connection, domain, name);
    if (!refusal) return;
    if (this.#namesNvram(connection, domain, name)) throw refusal;
    connection.check(this.access.library.calls.virDomainUndefineFlags(domain.pointer, 0), `undefine domain "${name}"`);
  }

  inactiveNames(): string[] {
    const connection = this.access.open();
    const out = new BigUint64Array(1);
    const count = this.access.library.calls.virConnectListAllDomains(connection.pointer, out, VIR.VIR_CONNECT_LIST_DOMAINS_INACTIVE);
    connection.check(count, "list inactive domains");
    using stack = new DisposableStack();
    return this.#take(Number(out[0]) as Pointer, count).map((domain) => identify(connection, stack.use(domain).pointer).name);
  }

  /** Undefines with the most careful flags that the driver knows; the refusal when it knows none. */
  #undefineKeeping(connection: Connection, domain: Handle, name: string): OnevirtError | undefined {
    let refusal: OnevirtError | undefined;
    for (const flags of KEEPING) {
      if (this.access.library.calls.virDomainUndefineFlags(domain.pointer, flags) >= 0) return undefined;
      refusal = connection.error(`undefine domain "${name}"`);
      if (!FLAG_REFUSED.has(refusal.libvirt?.code)) throw refusal;
    }
    return refusal;
  }

  #namesNvram(connection: Connection, domain: Handle, name: string): boolean {
    const xml = this.access.library.calls.virDomainGetXMLDesc(domain.pointer, VIR.VIR_DOMAIN_XML_INACTIVE);
    if (xml === null) throw connection.error(`read the document of domain "${name}"`);
    return /<nvram[\s/>]/.test(this.access.library.takeString(xml));
  }

  /** An array of domains that libvirt gave away, as handles; the array itself is freed. */
  #take(array: Pointer, count: number): Handle[] {
    const handles = Array.from({ length: count }, (_, index) => new Handle(this.access.library, "domain", read.ptr(array, index * 8) as Pointer));
    this.access.library.free(array);
    return handles;
  }
}
