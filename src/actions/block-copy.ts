import { escapeXml } from "../codec/xml.ts";
import { Deadline } from "../core/deadline.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import type { BlockCopyOptions, BlockJob, Context, DomainStatus } from "../core/ports.ts";
import { settle } from "../vm/outcome.ts";
import { afterBlockJobs } from "./block-job.ts";
import { devicesOf } from "./live-domain.ts";
import { judges } from "./look-time.ts";

const LOOK_EVERY_MS = 500;
const TELL_EVERY_MS = 10_000;
const STEP_SECONDS = 30;
const MIB = 1024n * 1024n;

/** One disk that QEMU copies while the guest writes it. */
export interface DiskCopy {
  readonly target: string;
  readonly to: string;
  readonly format: string;
}

/**
 * Copies a disk and lets the guest use the copy from then on. When it fails the guest goes on with what it had, and no copy of the
 * disk runs any more; only the document says which image is in use.
 */
export async function copyAndPivot(domain: DomainStatus, copy: DiskCopy, options: BlockCopyOptions, context: Context): Promise<void> {
  await endOldCopy(domain, copy, context);
  const xml = `<disk type='file'><driver type='${escapeXml(copy.format)}'/><source file='${escapeXml(copy.to)}'/></disk>`;
  try {
    await afterBlockJobs(`copy of disk ${copy.target}`, () => context.hypervisor.jobs.copyDisk(domain.uuid, copy.target, xml, options, context.deadline), context, context.settings.kvmrc.VIRSH_TRIES);
    await untilReady(domain, copy, context);
    await pivot(domain, copy, context);
  } catch (error) {
    if ((await imageOf(domain, copy.target, context)) !== copy.to) await endOldCopy(domain, copy, context);
    throw error;
  }
}

/** The image that a disk uses now. */
export async function imageOf(domain: DomainStatus, target: string, context: Context): Promise<string | undefined> {
  return (await devicesOf(domain, context, stepTime(context))).disks.find((each) => each.target === target)?.source;
}

/** A copy that an action left when it was killed: nobody waits for it, and nothing uses it. */
export async function endOldCopy({ uuid, name }: DomainStatus, { target }: Pick<DiskCopy, "target">, context: Context): Promise<void> {
  const job = await context.hypervisor.jobs.disk(uuid, target, stepTime(context)).catch(() => undefined);
  if (!job) return;
  context.log.log("WARN", `A copy of disk ${target} of "${name}" is ended, it is not used`);
  await context.hypervisor.jobs.endDisk(uuid, target, {}, stepTime(context)).catch((error: unknown) => context.log.log("WARN", messageOf(error)));
}

async function untilReady({ uuid, name }: DomainStatus, { target }: DiskCopy, { hypervisor, clock, deadline, log }: Context): Promise<void> {
  for (let told = clock.monotonicMs(); ; await clock.sleep(LOOK_EVERY_MS)) {
    const job = await hypervisor.jobs.disk(uuid, target, deadline.within(STEP_SECONDS));
    if (!job) throw new OnevirtError("NOT_DONE", `the copy of disk ${target} ended by itself, as when the destination is full`);
    if (isReady(job)) return;
    if (deadline.expired) throw new OnevirtError("TIMED_OUT", `the copy of disk ${target} takes longer than LIMIT_MIGRATE allows`);
    if (clock.monotonicMs() - told < TELL_EVERY_MS) continue;
    told = clock.monotonicMs();
    log.log("INFO", `Copy of disk ${target} of "${name}": ${job.current / MIB} of ${job.end / MIB} MiB`);
  }
}

/** libvirt lets both numbers meet only when copy and original agree (virDomainBlockCopy). */
function isReady({ current, end }: BlockJob): boolean {
  return end > 0n && current >= end;
}

async function pivot(domain: DomainStatus, { target, to }: DiskCopy, context: Context): Promise<void> {
  await settle({
    doing: `use the copy of disk ${target} of "${domain.name}"`,
    call: () => context.hypervisor.jobs.endDisk(domain.uuid, target, { pivot: true }, context.deadline),
    look: async () => {
      const now = await imageOf(domain, target, context);
      return now === to ? { now: "done" } : { now: "unknown", because: `the disk uses ${now ?? "nothing"}` };
    },
  }, judges(context));
}

function stepTime({ clock }: Context): Deadline {
  return Deadline.after(STEP_SECONDS, clock);
}
