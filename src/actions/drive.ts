import { serializeXml } from "../codec/xml-serialize.ts";
import type { LiveDevices, LiveDisk } from "../codec/live-devices.ts";
import type { XmlElement } from "../codec/xml.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { settle } from "../vm/outcome.ts";
import { devicesOf } from "./live-domain.ts";
import { judges } from "./look-time.ts";

/** The medium of a drive: a file, or a block device. */
export interface Medium {
  readonly path: string;
  readonly isBlock: boolean;
}

/** The drive with this target. */
export function driveOf({ disks }: LiveDevices, target: string, { name }: DomainStatus): LiveDisk {
  const drive = disks.find((each) => each.target === target);
  if (!drive) throw new OnevirtError("DEVICE_NOT_FOUND", `"${name}" has no drive ${target}`);
  return drive;
}

/** Puts a medium into a drive, or takes it out; `force` opens a tray that the guest has locked. */
export async function changeMedium(domain: DomainStatus, drive: LiveDisk, medium: Medium | undefined, options: { readonly force?: boolean }, context: Context): Promise<void> {
  const xml = serializeXml(withMedium(drive.element, medium));
  await settle({
    doing: `${medium ? "insert a medium into" : "eject"} drive ${drive.target} of "${domain.name}"`,
    repeatable: true,
    call: () => context.hypervisor.devices.update(domain.uuid, xml, options, context.deadline),
    look: async (deadline) => {
      const now = driveOf(await devicesOf(domain, context, deadline), drive.target, domain).source;
      return now === medium?.path ? { now: "done" } : { now: "not done", because: now === undefined ? "the drive is empty" : `the drive holds ${now}` };
    },
  }, judges(context));
}

function withMedium(drive: XmlElement, medium: Medium | undefined): XmlElement {
  const kept = drive.children.filter((child) => typeof child === "string" || (child.name !== "source" && child.name !== "backingStore"));
  if (!medium) return { ...drive, children: kept };
  const source: XmlElement = { name: "source", attributes: { [medium.isBlock ? "dev" : "file"]: medium.path }, children: [] };
  return { ...drive, attributes: { ...drive.attributes, type: medium.isBlock ? "block" : "file" }, children: [source, ...kept] };
}
