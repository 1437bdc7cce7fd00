import { dirname, isAbsolute, join, normalize } from "node:path";
import { serializeXml } from "../codec/xml-serialize.ts";
import { parseXml } from "../codec/xml.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { type DiskMove, movedPath, type MovingDisk, planMoves } from "../migration/datastore-plan.ts";
import { readDisks } from "../migration/disks.ts";
import { copyAndPivot, imageOf } from "./block-copy.ts";
import { readImage } from "./image-info.ts";
import { changeMedium, driveOf } from "./drive.ts";
import { devicesOf, getLiveDomain } from "./live-domain.ts";

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
  const root = parseXml(await context.hypervisor.domainXml(domain.uuid, {}, context.deadline), `the document of "${domain.name}"`);
  const moving = planMoves(readDisks(root), from, to);
  await refuse(domain, moving, context);
  context.files.makeDirectory(normalize(to), DIRECTORY_MODE);
  await bring(from, to, context);
  const done: MovingDisk[] = [];
  try {
    for (const disk of moving) {
      if (disk.plan.move === "copy") await moveImage(domain, disk.target, disk.plan, from, to, context);
      if (disk.plan.move === "medium") await moveMedium(domain, disk.target, disk.plan.from, disk.plan.to, context);
      done.push(disk);
    }
  } catch (error) {
    throw new OnevirtError("NOT_DONE", `the disks of "${domain.name}" stay in ${from}: ${messageOf(error)}${await takeBack(domain, done.toReversed(), context)}`, { cause: error });
  }
  await tellDirectory(domain, to, context);
}

async function refuse({ uuid, name }: DomainStatus, moving: readonly MovingDisk[], { hypervisor, deadline }: Context): Promise<void> {
  const reasons = moving.flatMap(({ target, plan }) => (plan.move === "refused" ? [`disk ${target}: ${plan.because}`] : []));
  const snapshots = moving.some(({ plan }) => plan.move === "copy") ? await hypervisor.snapshots.names(uuid, deadline) : [];
  if (snapshots.length > 0) reasons.push(`it has system snapshots (${snapshots.join(", ")}) inside images that would be copied, and the copies would be without them: delete them, or migrate with the VM off`);
  if (reasons.length > 0) throw new OnevirtError("NOT_SUPPORTED", `nothing was done with "${name}": ${reasons.join("; ")}`);
}

/** Documents, links and directories of snapshots go along before anything uses them there. */
async function bring(from: string, to: string, context: Context): Promise<void> {
  const { files } = context;
  const names = files.names(from).filter((name) => name.endsWith(".xml") || /^disk\.\d+\.snap$/.test(name) || isPlainLink(join(from, name), context));
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
  const { bytes, backing, backingFormat } = await readImage(plan.from, context);
  const base = backing === undefined ? undefined : (movedPath(backing, from, to) ?? backing);
  context.files.makeDirectory(dirname(plan.to), DIRECTORY_MODE);
  const words = base === undefined ? [plan.to, String(bytes)] : ["-b", base, ...(backingFormat === undefined ? [] : ["-F", backingFormat]), plan.to, String(bytes)];
  const { exitCode, stderr } = await context.commands.run([...context.settings.kvmrc.QEMU_IMG, "create", "-q", "-f", plan.format, ...words], context.deadline);
  if (exitCode !== 0) throw new OnevirtError("COMMAND_FAILED", `Cannot create "${plan.to}": ${stderr.trim().split("\n").at(-1) ?? ""}`);
  try {
    await copyAndPivot(domain, { target, to: plan.to, format: plan.format }, { reuseExternal: true, shallow: base !== undefined }, context);
  } catch (error) {
    if ((await imageOf(domain, target, context)) === plan.from) context.files.remove(plan.to); // only when the guest certainly uses the other one
    throw error;
  }
}

async function moveMedium(domain: DomainStatus, target: string, from: string, to: string, context: Context): Promise<void> {
  await sync([from], dirname(to), context);
  const drive = driveOf(await devicesOf(domain, context, context.deadline), target, domain);
  await changeMedium(domain, drive, { path: to, isBlock: false }, { force: true }, context);
}

/** Lets the guest use the old images again. What cannot be taken back is named: the VM then uses both directories, and both must stay. */
async function takeBack(domain: DomainStatus, done: readonly MovingDisk[], context: Context): Promise<string> {
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
  return left.length === 0 ? "" : `; ${left.join("; ")}: remove neither directory`;
}

/** Later snapshots and vGPUs are looked for where the metadata says (actions.md 7.12 defect 6). libvirt gives the element without its prefix, and takes it so. */
async function tellDirectory({ uuid, name }: DomainStatus, to: string, { hypervisor, deadline, log }: Context): Promise<void> {
  const metadata = await hypervisor.metadata(uuid, NAMESPACE, deadline);
  if (metadata === undefined) return log.log("WARN", `"${name}" has no metadata of OpenNebula: its directory cannot be noted`);
  const root = parseXml(metadata, `the metadata of "${name}"`);
  const children = root.children.map((child) => (typeof child === "object" && child.name === "system_datastore" ? { ...child, children: [to] } : child));
  await hypervisor.setMetadata(uuid, NAMESPACE, KEY, serializeXml({ ...root, children }), deadline);
}
