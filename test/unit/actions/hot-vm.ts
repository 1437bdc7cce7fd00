import type { ActionRun } from "../../../src/actions/action.ts";
import { given, type Given, type World } from "../../fakes/world.ts";
import { DIRECTORY, documentOf, UUID } from "./document.ts";
import { driverMessage } from "./message.ts";
import { outcomeOf } from "./outcome-of.ts";

export const PATH = `${DIRECTORY}/disk.1`;
export const VDB = "<disk type='file' device='disk'><source file='/x'/><target dev='vdb' bus='virtio'/><alias name='virtio-disk1'/></disk>";
export const NIC = "<interface type='bridge'><mac address='02:00:0a:00:00:05'/><alias name='net1'/></interface>";
export const CDROM = (source: string) => `<disk type='file' device='cdrom'>${source}<target dev='hda' bus='ide'/><readonly/><alias name='ide0-0-0'/></disk>`;

export const running = ({ devices = "", vcpu = "", ...more }: { readonly devices?: string; readonly vcpu?: string } & Given = {}) =>
  given({ domains: [{ name: "one-7", uuid: UUID, xml: documentOf({ devices }).replace("<os>", `${vcpu}<os>`) }], ...more });
export const attributes = (values: Readonly<Record<string, string>>) => Object.entries(values).map(([name, value]) => `<${name}><![CDATA[${value}]]></${name}>`).join("");
export const template = (inner: string) => driverMessage({ vm: `<TEMPLATE>${inner}</TEMPLATE>` });
export const disk = (values: Readonly<Record<string, string>>, more = "") => template(`${more}<DISK>${attributes({ ATTACH: "YES", DISK_ID: "1", ...values })}</DISK>`);
export const nic = (values: Readonly<Record<string, string>>, more = "") => template(`${more}<NIC>${attributes({ ATTACH: "YES", ...values })}</NIC>`);
export const pci = (values: Readonly<Record<string, string>>) => template(`<PCI>${attributes({ ATTACH: "YES", ...values })}</PCI>`);
export const go = (run: ActionRun, world: World, args: Readonly<Record<string, string>>, stdin = "") => outcomeOf(run({ arguments: { "deploy-id": UUID, ...args }, stdin }, world));

/** What was attached, on one line. */
export function attached(world: World): Promise<string> {
  return world.hypervisor.domainXml(UUID, {}, world.deadline).then((xml) => /<devices>([\s\S]*)<\/devices>/.exec(xml)?.[1]?.replace(/>\s+</g, "><").trim() ?? "");
}
