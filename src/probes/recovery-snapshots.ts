import { join } from "node:path";
import { findFirst, parseVmXml, findAll, textOf, type XmlElement } from "../codec/xml.ts";
import { quoted } from "../codec/attribute-text.ts";
import type { Context } from "../core/ports.ts";
import { type Datastore, monitoredDatastores, numberedDirectories, orLeftOut, STORAGE_SECONDS } from "../monitor/datastores.ts";
import type { ProbeRequest } from "./probe.ts";

/** Takes the snapshots from which VMs are recovered on another host, and says how that went (monitoring.md 7.8). Without it, fault tolerance with replicas stops. */
export async function run({ configuration: { datastoreLocation } }: ProbeRequest, context: Context): Promise<string> {
  const { files, tree } = context;
  const program = `${tree}/tm/ssh/recovery_snap_create_live`;
  if (files.kind(program) === undefined) return "";
  const datastores = (await monitoredDatastores(datastoreLocation, context)).filter(({ driver }) => driver === "ssh");
  let text = "";
  for (const datastore of datastores) text += (await orLeftOut(`recovery snapshots in datastore ${datastore.id}`, context, () => inDatastore(datastore, program, context))) ?? "";
  return text;
}

async function inDatastore({ path }: Datastore, program: string, context: Context): Promise<string> {
  let text = "";
  for (const vmId of await numberedDirectories(path, context)) text += (await orLeftOut(`recovery snapshots of VM ${vmId}`, context, () => ofVm(vmId, join(path, String(vmId)), program, context))) ?? "";
  return text;
}

/** One after the other: each copies a disk's changes over the network. */
async function ofVm(vmId: number, directory: string, program: string, context: Context): Promise<string> {
  const { storage, deadline } = context;
  const names = await storage.names(directory, deadline.within(STORAGE_SECONDS));
  const bases = await Promise.all(names.map((name) => (/^disk\.\d+$/.test(name) ? storage.look(join(directory, `${name}.snap`, "base.1"), deadline.within(STORAGE_SECONDS)) : undefined)));
  const disks = names.filter((_, index) => bases[index] !== undefined);
  if (disks.length === 0) return "";
  const [vm, datastore] = await Promise.all(["vm.xml", "ds.xml"].map((name) => document(join(directory, name), context)));
  const replica = textOf(findFirst(datastore, "TEMPLATE", "REPLICA_HOST"))?.trim();
  if (!vm || !replica) return "";
  const reports: string[] = [];
  for (const disk of disks) {
    const id = disk.slice("disk.".length);
    const seconds = frequency(vm, id);
    if (seconds) reports.push(await take(id, [program, String(vmId), join(directory, disk), seconds, replica], context));
  }
  return reports.map((report) => `VM = [ ID="${vmId}", MONITOR="${Buffer.from(report).toString("base64")}" ]\n`).join("");
}

async function document(path: string, { storage, deadline }: Context): Promise<XmlElement | undefined> {
  const text = await storage.text(path, deadline.within(STORAGE_SECONDS));
  return text === undefined ? undefined : parseVmXml(text, path);
}

function frequency(vm: XmlElement, diskId: string): string | undefined {
  const disk = findAll(vm, "TEMPLATE", "DISK").find((each) => textOf(findFirst(each, "DISK_ID"))?.trim() === diskId);
  return textOf(findFirst(disk, "RECOVERY_SNAPSHOT_FREQ"))?.trim() || undefined;
}

async function take(diskId: string, argv: readonly string[], { commands, deadline }: Context): Promise<string> {
  const { exitCode, stdout, stderr } = await commands.run(argv, deadline);
  const reason = (stderr.trim() || stdout.trim()).replace(/^ERROR:? */, "");
  const result = exitCode === 0 ? `TIMESTAMP=${quoted(stdout.trim())}` : `MSG=${quoted(`ERROR ${reason}`)}`;
  return `DISK_RECOVERY_SNAPSHOT = [ ID=${diskId}, ${result} ]`;
}
