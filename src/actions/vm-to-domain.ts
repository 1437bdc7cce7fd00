import { join } from "node:path";
import { findFirst, parseVmXml, textOf } from "../codec/xml.ts";
import type { Context } from "../core/ports.ts";
import { administratorPaths, architectureOf } from "../domain/defaults.ts";
import { generateDomain } from "../domain/generate.ts";
import { domainInput, type ContextDiskType, type NamedText } from "../domain/input.ts";

/**
 * Makes the domain document on the host. What oned would have added is taken from where the host has it: driver defaults, host and
 * cluster attributes from the administrator's files, the kind of context disk from ds.xml beside the disks, cgroups from the kernel.
 * What only oned knows is said as a warning.
 */
export async function domainFromVm(vmDocument: string, directory: string, context: Context): Promise<string> {
  const { files, generation, log, tree } = context;
  const input = await domainInput({
    vm: { name: "the VM document", text: vmDocument },
    defaults: firstOf(administratorPaths(tree, "defaults"), context),
    host: firstOf(administratorPaths(tree, "host"), context),
    cluster: firstOf(administratorPaths(tree, "cluster"), context),
    architecture: architectureOf(process.arch),
    systemDirectory: directory,
    contextDiskType: await contextDiskType(directory, context),
    cgroups: files.kind("/sys/fs/cgroup/cgroup.controllers") === undefined ? 1 : 2,
    oneVersion: generation.version,
    deploymentTime: Math.floor(context.clock.nowMs() / 1000),
    randomHex: context.randomHex,
  });
  const { xml, warnings } = generateDomain(input);
  for (const warning of warnings) log.log("WARN", warning);
  return xml;
}

function firstOf(paths: readonly string[], { files }: Context): NamedText | undefined {
  for (const path of paths) {
    const text = files.findText(path);
    if (text !== undefined) return { name: path, text };
  }
  return undefined;
}

/** CONTEXT_DISK_TYPE of the system datastore, whose document the driver puts beside the disks (actions.md 5). */
async function contextDiskType(directory: string, { files }: Context): Promise<ContextDiskType | undefined> {
  const text = files.findText(join(directory, "ds.xml"));
  const datastore = text === undefined ? undefined : await parseVmXml(text, "ds.xml");
  return textOf(findFirst(datastore, "TEMPLATE", "CONTEXT_DISK_TYPE"))?.toUpperCase() === "BLOCK" ? "BLOCK" : undefined;
}
