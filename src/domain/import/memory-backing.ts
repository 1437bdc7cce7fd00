import { hugePages } from "./cpu.ts";
import { type Importer, note, type Piece, raw, vector, type Wild } from "./piece.ts";

/** Huge pages are part of TOPOLOGY; memory for a shared directory comes with it. Everything else is RAW, where there is room. */
export const memoryBacking: Importer = (wild): readonly Piece[] => {
  const own = wild.root.child("memoryBacking");
  if (!own) return [];
  const huge = own.child("hugepages") && wild.root.child("maxMemory") === undefined && hugePages(wild) !== undefined;
  const shared = hasShare(wild);
  if (!huge && !shared) return [raw("domain", own)];
  const known = [...(huge ? ["hugepages"] : []), ...(shared ? ["source", "access"] : [])];
  for (const each of own.all().filter(({ name }) => known.includes(name))) each.finish();
  const others = own.all().filter(({ name }) => !known.includes(name)).map(({ name }) => name);
  for (const each of own.all()) each.finish();
  return others.length === 0 ? [] : [note(`memoryBacking also has ${others.join(", ")}: OpenNebula has no attribute for it`)];
};

/** A directory of the host that the guest sees through virtiofs. */
function hasShare({ devices }: Wild): boolean {
  return (devices?.children("filesystem") ?? []).some((each) => each.child("driver")?.attribute("type") === "virtiofs");
}

const POLICIES: Readonly<Record<string, string>> = { "3": "SEV", "7": "SEV-ES" };

/** MEMORY_ENCRYPTION, which brings a memory limit of its own. */
export const memoryEncryption: Importer = ({ root }): readonly Piece[] => {
  const launch = root.child("launchSecurity");
  const limits = root.child("memtune");
  const type = launch?.attribute("type") === "sev" ? POLICIES[String(Number(launch.childText("policy")))] : undefined;
  if (launch && type !== undefined) {
    limits?.child("hard_limit")?.finish();
    return [...vector("MEMORY_ENCRYPTION", { TYPE: type }), ...(limits?.all() ?? []).filter(({ isTaken }) => !isTaken).map(({ name }) => note(`memtune has ${name}: encrypted VMs have a limit of OpenNebula's own`))];
  }
  return [...(launch ? [raw("domain", launch)] : []), ...(limits ? [raw("domain", limits)] : [])];
};

/** IOTHREADS is one of the FEATURES; which thread serves which disk stands at the disk. */
export function ioThreads({ root }: Wild): string {
  root.child("iothreadids")?.finish();
  return root.childText("iothreads") ?? "0";
}
