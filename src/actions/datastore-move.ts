import { dirname, isAbsolute, join, normalize } from "node:path";
import { serializeXml } from "../codec/xml-serialize.ts";
import { findFirst, parseXml, textOf } from "../codec/xml.ts";
import type { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { datastoreFindings, type DatastoreMoves, type DiskMove, movedPath, type MovingDisk, planMoves, planNvram } from "../migration/datastore-plan.ts";
import { readDisks } from "../migration/disks.ts";
import { settle } from "../vm/outcome.ts";
import { copyAndPivot, endOldCopy, imageOf } from "./block-copy.ts";
import { resolveLink } from "./disk-links.ts";
import { changeMedium, driveOf } from "./drive.ts";
import { isBelow } from "./host-path.ts";
import { readImage } from "./image-info.ts";
import { devicesOf, getLiveDomain } from "./live-domain.ts";
import { judges } from "./look-time.ts";
import { copyNvram } from "./migration-nvram.ts";

/** OpenNebula's metadata in a domain (domain-xml.md). */
const NAMESPACE = "http://opennebula.org/xmlns/libvirt/1.0";
const KEY = "one";

const DIRECTORY_MODE = 0o755;

type Copy = Extract<DiskMove, { move: "copy" }>;

/**
 * Moves the disks of a running VM to another directory of the same host (actions.md 7.12, since 7.2): each is copied by QEMU and used
 * from then on. A failure takes back the disks that had moved, one by one; what the running VM uses is never removed (17.1 row 7).
 * The metadata follows at once (row 15). The same action again goes on where one was killed.
 */
export async function moveDatastore(ref: string, from: string, to: string, context: Context): Promise<void> {
  const domain = await getLiveDomain(ref, context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "migrate", context.deadline);
  const moves = await readMoves(domain, from, to, context);
  refuse(domain, moves, context);
  context.files.makeDirectory(normalize(to), DIRECTORY_MODE);
  await bring(domain, from, to, context);
  if (moves.nvram?.move === "copy") await copyNvram(moves.nvram, context); // what cannot be copied is found before a disk moves
  await moveAll(domain, moves, from, to, context);
  await noteDirectory(domain, from, to, context);
}

/** What a change of datastore would move, and what stands in its way. */
export async function readMoves({ uuid, name }: DomainStatus, from: string, to: string, { hypervisor, deadline }: Context): Promise<DatastoreMoves> {
  const root = parseXml(await hypervisor.domainXml(uuid, {}, deadline), `the document of "${name}"`);
  const disks = planMoves(readDisks(root), from, to);
  const snapshots = disks.some(({ plan }) => plan.move === "copy") ? await hypervisor.snapshots.names(uuid, deadline) : [];
  return { disks, nvram: planNvram(root, from, to), snapshots };
}

function refuse({ name }: DomainStatus, moves: DatastoreMoves, { log }: Context): void {
  const findings = datastoreFindings(moves);
  const reasons = findings.filter(({ kind }) => kind === "refusal").map(({ text }) => text);
  if (reasons.length > 0) throw new OnevirtError("NOT_SUPPORTED", `nothing was done with "${name}": ${reasons.join("; ")}`);
  for (const { text } of findings) log.log("WARN", `"${name}": ${text}`);
}

/** All disks, then the variables again, as late as can be: all of it, or nothing that the VM uses. */
async function moveAll(domain: DomainStatus, { disks, nvram }: DatastoreMoves, from: string, to: string, context: Context): Promise<void> {
  const done: MovingDisk[] = [];
  try {
    for (const disk of disks) {
      if (disk.plan.move === "copy") await moveImage(domain, disk.target, disk.plan, from, to, context);
      if (disk.plan.move === "medium") await moveMedium(domain, disk.target, disk.plan.from, disk.plan.to, context);
      done.push(disk);
    }
    if (nvram?.move === "copy") await copyNvram(nvram, context);
  } catch (error) {
    const left = [...(await takeBack(domain, done.toReversed(), context)), ...(await notBack(domain, disks[done.length], context))];
    if (nvram?.move === "copy") context.files.remove(nvram.to); // QEMU never uses it, and a later deploy would take it for the newest
    const where = left.length === 0 ? `the disks of "${domain.name}" stay in ${from}` : `not all disks of "${domain.name}" are in ${from} again`;
    throw new OnevirtError("NOT_DONE", `${where}: ${messageOf(error)}${left.length === 0 ? "" : `; ${left.join("; ")}: remove neither directory`}`, { cause: error });
  }
}

/** The disk whose move failed: an answer that was lost may have let it use the new image. */
async function notBack(domain: DomainStatus, disk: MovingDisk | undefined, context: Context): Promise<readonly string[]> {
  if (disk?.plan.move !== "copy") return [];
  const now = await imageOf(domain, disk.target, context).catch(() => undefined);
  return normalize(now ?? "") === disk.plan.from ? [] : [`disk ${disk.target} uses ${now ?? "an image that cannot be told now"}`];
}

/** All that the VM uses has moved: a failure from here on must say so, or somebody looks for the disks where they were. */
async function noteDirectory(domain: DomainStatus, from: string, to: string, context: Context): Promise<void> {
  try {
    await tellDirectory(domain, to, context);
  } catch (error) {
    throw new OnevirtError(hasCode(error, "OUTCOME_UNKNOWN") ? error.code : "NOT_DONE", `the disks of "${domain.name}" have moved and are used in ${to}, but its metadata may still name ${from}: ${messageOf(error)}; remove neither directory`, {
      cause: error,
      hint: "the same migration again notes the new directory; until then the VM must not be migrated elsewhere, and gets no snapshots",
    });
  }
}

/** Documents, links and directories of snapshots go along before anything uses them there. What a disk uses there already is newer than what was left here. */
async function bring(domain: DomainStatus, from: string, to: string, context: Context): Promise<void> {
  const { files } = context;
  const { disks } = await devicesOf(domain, context, context.deadline);
  const isUsed = (name: string) => disks.some(({ source }) => source !== undefined && isBelow(resolveLink(source, files), join(to, name)));
  const names = files.names(from).filter((name) => name.endsWith(".xml") || (/^disk\.\d+\.snap$/.test(name) && !isUsed(name)) || isPlainLink(join(from, name), context));
  await sync(names.map((name) => join(normalize(from), name)), to, context);
}

/** A link inside the VM's directory keeps its meaning in another one when it is relative. */
function isPlainLink(path: string, { files }: Context): boolean {
  return files.kind(path) === "symlink" && !isAbsolute(files.readLink(path) ?? "/");
}

async function sync(paths: readonly string[], to: string, { commands, deadline }: Context): Promise<void> {
  if (paths.length === 0) return;
  const { exitCode, stderr } = await commands.run(["rsync", "-a", "--", ...paths, `${normalize(to)}/`], deadline);
  if (exitCode !== 0) throw new OnevirtError("COMMAND_FAILED", `Cannot copy files to "${to}": ${stderr.trim().split("\n").at(-1) ?? ""}`);
}

async function moveImage(domain: DomainStatus, target: string, plan: Copy, from: string, to: string, context: Context): Promise<void> {
  await endOldCopy(domain, { target }, context); // it holds the lock of the image that is made now
  const { bytes, backing, backingFormat } = await readImage(plan.from, context);
  const base = backing === undefined ? undefined : (movedPath(backing, from, to) ?? backing);
  context.files.makeDirectory(dirname(plan.to), DIRECTORY_MODE);
  const words = base === undefined ? [plan.to, String(bytes)] : ["-b", base, ...(backingFormat === undefined ? [] : ["-F", backingFormat]), plan.to, String(bytes)];
  const { exitCode, stderr } = await context.commands.run([...context.settings.kvmrc.QEMU_IMG, "create", "-q", "-f", plan.format, ...words], context.deadline);
  if (exitCode !== 0) throw new OnevirtError("COMMAND_FAILED", `Cannot create "${plan.to}": ${stderr.trim().split("\n").at(-1) ?? ""}`);
  try {
    await copyAndPivot(domain, { target, to: plan.to, format: plan.format }, { reuseExternal: true, shallow: base !== undefined }, context);
  } catch (error) {
    if (normalize((await imageOf(domain, target, context)) ?? "") === plan.from) context.files.remove(plan.to); // only when the guest certainly uses the other one
    throw error;
  }
}

async function moveMedium(domain: DomainStatus, target: string, from: string, to: string, context: Context): Promise<void> {
  await sync([from], dirname(to), context);
  const drive = driveOf(await devicesOf(domain, context, context.deadline), target, domain);
  await changeMedium(domain, drive, { path: to, isBlock: false }, { force: true }, context);
}

/** Lets the guest use the old images again. What cannot be taken back is named: the VM then uses both directories, and both must stay. */
async function takeBack(domain: DomainStatus, done: readonly MovingDisk[], context: Context): Promise<readonly string[]> {
  const left: string[] = [];
  for (const { target, plan } of done) {
    try {
      if (plan.move === "medium") await changeMedium(domain, driveOf(await devicesOf(domain, context, context.deadline), target, domain), { path: plan.from, isBlock: false }, { force: true }, context);
      if (plan.move === "copy") {
        const { backing } = await readImage(plan.from, context);
        await copyAndPivot(domain, { target, to: plan.from, format: plan.format }, { reuseExternal: true, shallow: backing !== undefined }, context);
        context.files.remove(plan.to);
      }
    } catch (error) {
      left.push(`disk ${target} is in use at ${"to" in plan ? plan.to : "?"} and could not be taken back (${messageOf(error)})`);
    }
  }
  return left;
}

/** Later snapshots and vGPUs are looked for where the metadata says (actions.md 7.12 defect 6). libvirt gives the element without its prefix, and takes it so. */
async function tellDirectory({ uuid, name }: DomainStatus, to: string, context: Context): Promise<void> {
  const { hypervisor, deadline, log } = context;
  const metadata = await hypervisor.metadata(uuid, NAMESPACE, deadline);
  if (metadata === undefined) return log.log("WARN", `"${name}" has no metadata of OpenNebula: its directory cannot be noted`);
  const root = parseXml(metadata, `the metadata of "${name}"`);
  const children = root.children.map((child) => (typeof child === "object" && child.name === "system_datastore" ? { ...child, children: [to] } : child));
  await settle({
    doing: `note the new directory of "${name}"`,
    call: () => hypervisor.setMetadata(uuid, NAMESPACE, KEY, serializeXml({ ...root, children }), deadline),
    look: async (time) => (await directoryOf(uuid, name, context, time)) === to ? { now: "done" } : { now: "unknown", because: "its metadata names another directory" },
  }, judges(context));
}

/** The directory that the metadata of the running domain names. */
async function directoryOf(uuid: string, name: string, { hypervisor }: Context, deadline: Deadline): Promise<string | undefined> {
  const metadata = await hypervisor.metadata(uuid, NAMESPACE, deadline);
  return metadata === undefined ? undefined : textOf(findFirst(parseXml(metadata, `the metadata of "${name}"`), "system_datastore"))?.trim();
}
