import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findAll, findFirst, parseVmXml, textOf, type XmlElement } from "../codec/xml.ts";
import { messageOf, OnevirtError } from "../core/errors.ts";
import { checkPath, readPlain } from "./caller-files.ts";

const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** One vGPU of the VM document. */
interface Vgpu {
  readonly uuid: string;
  /** As sysfs spells it: 0000:3b:02.1. */
  readonly address: string;
  readonly profile: string;
  readonly legacy: boolean;
}

/** What is told besides success: lines for the log. */
export type Tell = (text: string) => void;

/**
 * Makes or gives back every vGPU of a VM document (actions.md 7.23). `sys` is /sys. To make one is all or an error; to give one back
 * goes on to the next, and ends with the first error.
 */
export async function vgpu(task: "create" | "delete", vmXmlPath: string, sys: string, tell: Tell): Promise<void> {
  const bytes = readPlain(checkPath(vmXmlPath, "the VM document"), MAX_DOCUMENT_BYTES);
  if (!bytes) throw new OnevirtError("FILE_FAILED", `Cannot read "${vmXmlPath}": there is no such file`);
  const document = await parseVmXml(Buffer.from(bytes).toString("utf8"), vmXmlPath);
  const errors: unknown[] = [];
  for (const device of findAll(document, "TEMPLATE", "PCI").flatMap(read)) {
    try {
      if (device.legacy) mediated(task, device, sys);
      else virtual(task, device, sys);
    } catch (error) {
      if (task === "create") throw error;
      tell(messageOf(error));
      errors.push(error);
    }
  }
  if (errors[0] !== undefined) throw errors[0];
}

/** Everything becomes a part of a path below /sys: only the exact form is taken. */
function read(pci: XmlElement): Vgpu[] {
  const text = (name: string) => textOf(findFirst(pci, name)) ?? "";
  if (text("UUID") === "") return [];
  const check = (name: string, form: RegExp) => {
    if (form.test(text(name))) return text(name);
    throw new OnevirtError("BAD_INPUT", `${name} of a PCI device is ${JSON.stringify(text(name).slice(0, 60))}: not of the form that is expected`);
  };
  const address = `${check("DOMAIN", /^[0-9a-f]{4}$/i)}:${check("BUS", /^[0-9a-f]{2}$/i)}:${check("SLOT", /^[0-9a-f]{2}$/i)}.${check("FUNCTION", /^[0-7]$/)}`.toLowerCase();
  const profile = text("PROFILE") === "" ? "" : (check("PROFILE", /^[A-Za-z0-9_.-]{1,64}(\s.{0,200})?$/).split(/\s/)[0] ?? "");
  if (profile === "." || profile === "..") throw new OnevirtError("BAD_INPUT", `PROFILE of a PCI device is ${JSON.stringify(profile)}`);
  return [{ uuid: check("UUID", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i).toLowerCase(), address, profile, legacy: text("MDEV_MODE") === "" || text("MDEV_MODE") === "legacy" }];
}

function mediated(task: "create" | "delete", { uuid, address, profile }: Vgpu, sys: string): void {
  const device = join(sys, "class/mdev_bus", address);
  if (!existsSync(device)) throw new OnevirtError("FILE_FAILED", `Directory '${device}' does not exist`);
  const types = join(device, "mdev_supported_types");
  const type = join(types, profile || first(readdirSync(types).sort(), types));
  if (task === "create") write(join(type, "create"), uuid, "Error creating mediated device");
  else write(join(type, "devices", uuid, "remove"), "1", "Error removing mediated device");
}

function virtual(task: "create" | "delete", { address, profile }: Vgpu, sys: string): void {
  const device = join(sys, "bus/pci/devices", address, "nvidia");
  const current = join(device, "current_vgpu_type");
  if (task === "delete") return write(current, "0", "Error deactivating vgpu");
  const creatable = readFileSync(join(device, "creatable_vgpu_types"), "utf8").split("\n").slice(1).map((line) => line.split(":")[0]?.trim() ?? "").filter((name) => name !== "");
  const chosen = profile || first(creatable, device);
  if (!creatable.includes(chosen)) throw new OnevirtError("NOT_SUPPORTED", `Profile '${chosen}' not supported by vGPU`);
  write(current, chosen, `Error activating vgpu with profile ${chosen}`);
}

function first(names: readonly string[], place: string): string {
  const [name] = names;
  if (name === undefined) throw new OnevirtError("NOT_SUPPORTED", `"${place}" offers no vGPU profile`);
  return name;
}

function write(path: string, text: string, failure: string): void {
  try {
    writeFileSync(path, text, { flag: "r+" }); // files of sysfs are there, or nothing is
  } catch (cause) {
    throw new OnevirtError("FILE_FAILED", `${failure}: ${messageOf(cause)}`, { cause });
  }
}
