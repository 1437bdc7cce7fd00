import { parseTemplate } from "../codec/template.ts";
import type { Context } from "../core/ports.ts";
import { type Datastore, monitoredDatastores, orLeftOut } from "../monitor/datastores.ts";
import { disksIn, isMeasured, type VmDisks } from "../monitor/disk-sizes.ts";
import type { ProbeRequest } from "./probe.ts";

/** Programs of other transfer drivers may take this long for a datastore. */
const PROGRAM_SECONDS = 20;

/** Sizes of disks and their snapshots in the datastores of this host (monitoring.md 7.7). One datastore that does not answer costs its own numbers only. */
export async function run({ configuration: { datastoreLocation } }: ProbeRequest, context: Context): Promise<string> {
  const datastores = await monitoredDatastores(datastoreLocation, context);
  const texts = await Promise.all(datastores.map((datastore) => orLeftOut(`disks in datastore ${datastore.id}`, context, () => describe(datastore, context))));
  return texts.join("");
}

async function describe(datastore: Datastore, context: Context): Promise<string> {
  return isMeasured(datastore.driver) ? (await disksIn(datastore, context)).map(record).join("") : askDriver(datastore, context);
}

function record({ vmId, disks, snapshots }: VmDisks): string {
  const lines = [...disks.map(({ id, size }) => `DISK_SIZE = [ ID=${id}, SIZE=${size}]`), ...snapshots.map(({ id, diskId, size }) => `SNAPSHOT_SIZE = [ ID=${id}, DISK_ID=${diskId}, SIZE=${size}]`)];
  return `VM = [ ID = ${vmId}, MONITOR = "${Buffer.from(`\n${lines.join("\n")}`).toString("base64")}"]\n`;
}

/** A transfer driver of the administrator has a program of its own, or none. */
export async function askDriver({ driver, path }: Datastore, { files, commands, tree, deadline, log }: Context): Promise<string> {
  const program = `${tree}/tm/${driver}/monitor_ds`;
  if (!/^\w[\w-]*$/.test(driver) || files.kind(program) === undefined) return "";
  const { exitCode, stdout, stderr } = await commands.run([program, path], deadline.within(PROGRAM_SECONDS));
  if (exitCode !== 0) {
    log.log("WARN", `${program} ended with ${exitCode}: ${stderr.trim().slice(0, 200)}`);
    return "";
  }
  parseTemplate(stdout, `the output of ${program}`); // what oned cannot read would cost the whole message
  return stdout;
}
