import type { JobProgress } from "../core/ports.ts";

/** How far a migration is, in bytes and milliseconds. */
export interface MigrationProgress {
  readonly total: number;
  readonly processed: number;
  readonly remaining: number;
  /** Passes over the guest's memory so far. */
  readonly iteration: number;
  readonly elapsedMs: number;
  /** What the guest changes, and what is sent, in bytes per second; 0 when unknown. */
  readonly dirtyRate: number;
  readonly speed: number;
  /** Share of time that the guest's processors are held back, in percent (auto-converge). */
  readonly throttle: number;
}

const MIB = 1024 * 1024;

/** Whether a job of the whole domain is under way. */
export function isJob(job: JobProgress | undefined): boolean {
  return job?.type === 1 || job?.type === 2;
}

/** VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT */
const MIGRATION_OUT = 5;

/** Whether that job sends the domain away: a dump or a backup of the same domain is somebody else's, and none of our business. */
export function isMigration(job: JobProgress | undefined): boolean {
  const operation = job?.fields["operation"];
  return isJob(job) && (operation === undefined || Number(operation) === MIGRATION_OUT);
}

/** Reads the fields of virDomainGetJobStats; undefined before the first figures are there. */
export function readProgress(job: JobProgress | undefined): MigrationProgress | undefined {
  if (!job || !isJob(job)) return undefined;
  const field = (name: string) => Number(job.fields[name] ?? 0);
  const total = field("data_total");
  if (total === 0) return undefined;
  return {
    total, processed: field("data_processed"), remaining: field("data_remaining"), iteration: field("memory_iteration"), elapsedMs: field("time_elapsed"),
    dirtyRate: field("memory_dirty_rate") * (field("memory_page_size") || 4096), speed: field("memory_bps") + field("disk_bps"), throttle: field("auto_converge_throttle"),
  };
}

/** One line for the log. */
export function progressLine({ total, processed, remaining, iteration, elapsedMs, dirtyRate, speed, throttle }: MigrationProgress): string {
  const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
  const more = [`${mib(processed)} sent`, `${mib(remaining)} of ${mib(total)} left`, `pass ${iteration}`, speed > 0 ? `${mib(speed)}/s` : "", dirtyRate > 0 ? `the guest changes ${mib(dirtyRate)}/s` : "", throttle > 0 ? `processors held back by ${throttle} %` : ""];
  return `${Math.round(elapsedMs / 1000)} s: ${more.filter((each) => each !== "").join(", ")}`;
}

/** Notices a migration that gets nowhere: what is left has not been less than ever before for too long. */
export class StallWatch {
  #least = Infinity;
  #since = 0;

  /** Milliseconds since what is left reached a new low. */
  stalledMs({ remaining }: MigrationProgress, nowMs: number): number {
    if (remaining < this.#least) {
      this.#least = remaining;
      this.#since = nowMs;
    }
    return nowMs - this.#since;
  }
}
