import type { DatastoreMoves, DiskMove } from "./datastore-plan.ts";
import { numbered, section, verdict } from "./plan-sections.ts";
import type { Finding } from "./preflight.ts";

/** What a change of datastore would do, before anything is done. */
export interface DatastorePlan {
  /** The domain's name, or how oned calls it. */
  readonly name: string;
  readonly host: string;
  readonly from: string;
  readonly to: string;
  /** undefined when there is no such VM to ask about. */
  readonly moves: DatastoreMoves | undefined;
  readonly findings: readonly Finding[];
}

/** The plan for people, as `planText` is for a migration between hosts. */
export function datastorePlanText({ name, host, from, to, moves, findings }: DatastorePlan): string {
  const disks = (moves?.disks ?? []).map(({ target, plan }) => `${target}: ${become(plan)}`);
  return [
    `Change the datastore of "${name}" on ${host || "this host"}: no other host takes part`, `  from: ${from}`, `  to: ${to}`,
    ...section("Disks", disks), ...section("Steps", numbered(moves ? steps(moves, to) : [])), ...verdict(findings),
  ].join("\n");
}

function become(plan: DiskMove): string {
  if (plan.move === "stays") return "stays where it is: no file of the old directory";
  if (plan.move === "refused") return "cannot move";
  return plan.move === "medium" ? `${plan.from} copied to ${plan.to} and put into the drive, nobody writes it` : `${plan.from} copied by QEMU to ${plan.to}, and used there from then on`;
}

function steps({ disks, nvram }: DatastoreMoves, to: string): readonly string[] {
  const moving = disks.filter(({ plan }) => plan.move === "copy" || plan.move === "medium").map(({ target }) => target);
  return [
    `copy documents, links and directories of disk snapshots to ${to}`,
    ...(moving.length > 0 ? [`move one disk after the other: ${moving.join(", ")}`] : []),
    ...(nvram?.move === "copy" ? [`copy the UEFI variables to ${nvram.to}`] : []),
    "note the new directory in the metadata of the running VM",
    "if a disk fails: let the guest use the old images again, one by one; what it uses is never removed",
  ];
}
