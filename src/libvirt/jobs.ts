import { type Pointer, ptr, read } from "bun:ffi";
import type { BlockCopyOptions, BlockJob, JobProgress } from "../core/ports.ts";
import type { DomainAccess } from "./domain-access.ts";
import { VIR } from "./numbers.ts";
import { readParameters } from "./typed-parameters.ts";

/** virDomainBlockJobInfo on LP64: int type, unsigned long bandwidth, two unsigned long long. */
const BLOCK_JOB = { size: 32, current: 16, end: 24 } as const;

/** Work that goes on in QEMU, whole and blocking: the thread's side of `JobPort`. */
export class BlockingJobs {
  constructor(private readonly access: DomainAccess) {}

  progress(uuid: string): JobProgress | undefined {
    const type = new Int32Array(1);
    const out = new BigUint64Array(1);
    const count = new Int32Array(1);
    this.access.run(uuid, `read the progress of domain ${uuid}`, (domain) => this.#calls.virDomainGetJobStats(domain, type, out, count, 0));
    const list = Number(out[0]) as Pointer;
    try {
      return type[0] ? { type: type[0], fields: readParameters(list, count[0] ?? 0) } : undefined;
    } finally {
      this.#calls.virTypedParamsFree(list, count[0] ?? 0);
    }
  }

  abort(uuid: string): void {
    this.access.run(uuid, `abort the job of domain ${uuid}`, (domain) => this.#calls.virDomainAbortJob(domain));
  }

  copyDisk(uuid: string, disk: string, destinationXml: string, { shallow = false, reuseExternal = false }: BlockCopyOptions): void {
    const flags = (shallow ? VIR.VIR_DOMAIN_BLOCK_COPY_SHALLOW : 0) | (reuseExternal ? VIR.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT : 0);
    this.access.run(uuid, `copy disk ${disk} of domain ${uuid}`, (domain) => this.#calls.virDomainBlockCopy(domain, disk, destinationXml, null, 0, flags));
  }

  disk(uuid: string, disk: string): BlockJob | undefined {
    const info = new Uint8Array(BLOCK_JOB.size);
    const found = this.access.number(uuid, `read the job of disk ${disk} of domain ${uuid}`, (domain) => this.#calls.virDomainGetBlockJobInfo(domain, disk, info, 0));
    if (found === 0) return undefined;
    const at = ptr(info);
    return { type: read.i32(at, 0), current: read.u64(at, BLOCK_JOB.current), end: read.u64(at, BLOCK_JOB.end) };
  }

  endDisk(uuid: string, disk: string, { pivot = false }: { readonly pivot?: boolean }): void {
    const flags = pivot ? VIR.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT : 0;
    this.access.run(uuid, `end the job of disk ${disk} of domain ${uuid}`, (domain) => this.#calls.virDomainBlockJobAbort(domain, disk, flags));
  }

  setMaxSpeed(uuid: string, mibPerSecond: number): void {
    this.access.run(uuid, `limit the migration of domain ${uuid}`, (domain) => this.#calls.virDomainMigrateSetMaxSpeed(domain, BigInt(mibPerSecond), 0));
  }

  setMaxDowntime(uuid: string, ms: number): void {
    this.access.run(uuid, `set the downtime of the migration of domain ${uuid}`, (domain) => this.#calls.virDomainMigrateSetMaxDowntime(domain, BigInt(ms), 0));
  }

  startPostCopy(uuid: string): void {
    this.access.run(uuid, `switch the migration of domain ${uuid} to post-copy`, (domain) => this.#calls.virDomainMigrateStartPostCopy(domain, 0));
  }

  get #calls() {
    return this.access.library.calls;
  }
}
