import type { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { DomainStatus, Hypervisor, ProcessTable } from "../core/ports.ts";
import { isActive } from "../core/states.ts";
import { LOOK_SECONDS } from "./limits.ts";

/** The only three answers to "is it alive". */
export type Life = "running" | "gone" | "unknown";

/** What the witnesses said, before anybody judged. */
export interface Evidence {
  /** The domain; "none" when libvirt says so; the error when it could not be asked. */
  readonly libvirt: DomainStatus | "none" | OnevirtError;
  /** The process whose command line holds the domain's UUID, else the live process that libvirt's pid file names. */
  readonly process: { readonly pid: number; readonly seenIn: "/proc" | "pid file" } | undefined;
}

export interface Verdict {
  readonly life: Life;
  /** The evidence as a clause for messages, without final period. */
  readonly because: string;
  /** The domain, when libvirt knows it. */
  readonly status?: DomainStatus;
}

/** Whom to look for: what is known of the domain. */
export interface Subject {
  readonly uuid: string;
  readonly name: string;
}

/** What may be asked. */
export interface Witnesses {
  readonly hypervisor: Hypervisor;
  readonly processes: ProcessTable;
}

/**
 * Whether a VM runs on this host, with the reason. Nothing else in onevirt may decide that: oned deletes disks on our word. A
 * daemon that cannot be asked is never "gone" (actions.md 17.1 row 1), and neither is a domain that libvirt has forgotten while
 * its process lives.
 */
export async function lifeOf(subject: Subject, witnesses: Witnesses, deadline: Deadline): Promise<Verdict> {
  return judge(await gather(subject, witnesses, deadline));
}

/** The rule, as a pure function of the evidence. */
export function judge({ libvirt, process }: Evidence): Verdict {
  if (libvirt instanceof OnevirtError) return withoutLibvirt(libvirt, process);
  if (libvirt !== "none" && isActive(libvirt.state)) return { life: "running", because: `libvirt reports it ${libvirt.state}`, status: libvirt };
  const words = libvirt === "none" ? "libvirt has no such domain" : `libvirt reports it ${libvirt.state}`;
  const status = libvirt === "none" ? {} : { status: libvirt };
  if (process) return { life: "unknown", because: `${words}, but process ${process.pid} still runs (${process.seenIn})`, ...status };
  return { life: "gone", because: `${words}, and no process has its UUID`, ...status };
}

function withoutLibvirt(error: OnevirtError, process: Evidence["process"]): Verdict {
  if (process) return { life: "running", because: `libvirt cannot be asked (${error.message}), but process ${process.pid} runs (${process.seenIn})` };
  return { life: "unknown", because: `libvirt cannot be asked (${error.message})` };
}

async function gather({ uuid, name }: Subject, { hypervisor, processes }: Witnesses, deadline: Deadline): Promise<Evidence> {
  const libvirt = await ask(hypervisor, uuid || name, deadline);
  // /proc is read after libvirt has answered, so that a process which ends meanwhile is not held against it.
  const known = typeof libvirt === "object" && "uuid" in libvirt ? libvirt : { uuid, name };
  const byUuid = processes.qemu().get(known.uuid.toLowerCase());
  if (byUuid) return { libvirt, process: { pid: byUuid.pid, seenIn: "/proc" } };
  const pid = known.name ? processes.pidFile(known.name) : undefined;
  return { libvirt, process: pid === undefined ? undefined : { pid, seenIn: "pid file" } };
}

async function ask(hypervisor: Hypervisor, ref: string, deadline: Deadline): Promise<Evidence["libvirt"]> {
  try {
    return (await hypervisor.find(ref, deadline.within(LOOK_SECONDS))) ?? "none";
  } catch (error) {
    if (hasCode(error, "LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "TIMED_OUT", "BUSY", "LIBVIRT_FAILED")) return error;
    throw error instanceof OnevirtError ? error : new OnevirtError("LIBVIRT_FAILED", messageOf(error), { cause: error });
  }
}
