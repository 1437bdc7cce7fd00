import { type DomainNode, element, filled, type Part, textElement, warning } from "../element.ts";
import { type Contributor, type Facts, ownFlag, ownOrInherited } from "../facts.ts";
import { wholeInteger } from "../numbers.ts";
import { byRule, derived, orElse, type Value } from "../source.ts";
import { type Disk, planDisks } from "./disk-plan.ts";
import { sourceOf } from "./disk-source.ts";
import { filesystem } from "./filesystem.ts";
import { ioTune } from "./iotune.ts";

/** The disks in document order, then the SATA controllers they need. */
export const disks: Contributor = (facts) => {
  const plan = planDisks(facts);
  const controllers = plan.disks.flatMap(({ sataController }) => sataController ?? []);
  return [
    ...plan.disks.flatMap((each): readonly Part[] => (each.type.text === "FILESYSTEM" ? filesystem(facts, each) : disk(facts, each))),
    ...controllers.map((index) => element("controller", { type: "sata", index }, undefined, { because: [index], rule: "a SATA controller for each sd disk on SATA" })),
  ];
};

function disk(facts: Facts, each: Disk): readonly Part[] {
  const { view, bus, target } = each;
  const { type, device, nodes } = sourceOf(facts, each);
  const children: readonly DomainNode[] = [
    ...nodes,
    element("target", { dev: target, bus: filled(bus) }, undefined, { rule: "TARGET; the bus follows its first letter and the machine" }),
    ...encryption(view.get("LUKS_SECRET")),
    ...bootOrder(view.get("ORDER")),
    ...(ownFlag(view, "READONLY").on ? [element("readonly", {}, undefined, { because: [view.get("READONLY")], rule: "READONLY=YES" })] : []),
    ...(view.get("SHAREABLE").text === "YES" ? [element("shareable", {}, undefined, { because: [view.get("SHAREABLE")], rule: "SHAREABLE=YES" })] : []),
    ...(hasSerial(each) ? [textElement("serial", view.get("SERIAL"), { because: [each.type, bus], rule: "SERIAL" })] : []),
    driver(facts, each),
    ...ioTune(facts, each),
    ...address(each),
  ];
  return [element("disk", { type, device }, children, { because: [view.presence], rule: "a DISK; TYPE says which kind" }), ...warnings(each)];
}

function encryption(secret: Value): readonly DomainNode[] {
  if (secret.text === "") return [];
  return [element("encryption", { format: "luks" }, [element("secret", { type: "passphrase", uuid: secret })], { because: [secret], rule: "LUKS_SECRET names libvirt's secret with the passphrase" })];
}

/** `<boot>`, shared by disks and interfaces: the place that OS/BOOT gave the device. */
export function bootOrder(order: Value): readonly DomainNode[] {
  const number = wholeInteger(order.text);
  return number === undefined ? [] : [element("boot", { order: derived(number, order) }, undefined, { because: [order], rule: "ORDER, worked out from OS/BOOT" })];
}

/** SCSI block devices bring their own serial number; `sd` disks without a bus end up on SCSI. */
function hasSerial({ view, type, bus, target }: Disk): boolean {
  const scsi = bus.text === "scsi" || (bus.text === "" && target.text.startsWith("sd"));
  return view.get("SERIAL").text !== "" && !(type.text === "BLOCK" && scsi);
}

function driver(facts: Facts, { view, type, ioThread, queues }: Disk): DomainNode {
  const inherited = (key: string) => ownOrInherited(facts, view, "DISK", key);
  const format = type.text === "CDROM" ? derived("raw", type) : orElse(inherited("DRIVER"), byRule("raw", "no DRIVER anywhere"));
  const attributes = {
    name: "qemu", type: format, cache: orElse(inherited("CACHE"), byRule("default", "no CACHE anywhere")),
    io: filled(inherited("IO")), discard: filled(inherited("DISCARD")), iothread: ioThread, queues: filled(queues),
  };
  return element("driver", attributes, undefined, { rule: "the disk's own keys, else DISK of host, cluster or defaults" });
}

function address({ sataController, scsiTarget }: Disk): readonly DomainNode[] {
  const at = (controller: Value | string, target: Value | string, because: Value) =>
    [element("address", { type: "drive", controller, bus: "0", target, unit: "0" }, undefined, { because: [because], rule: "the letters of an sd name are its place on the bus" })];
  if (sataController) return at(sataController, "0", sataController);
  return scsiTarget ? at("0", scsiTarget, scsiTarget) : [];
}

function warnings(each: Disk): readonly Part[] {
  const { view, bus, target } = each;
  const serial = view.get("SERIAL").text !== "" && !hasSerial(each) ? [warning("Serial attribute ignored: not supported for SCSI block devices.")] : [];
  const readonlySata = ownFlag(view, "READONLY").on && bus.text === "sata" && !each.cdrom ? [warning(`libvirt refuses READONLY on SATA: give disk ${target.text} the prefix vd or sd.`)] : [];
  const optical = each.type.text === "CDROM" && view.get("DISK_TYPE").text === "RBD" ? [warning(`optical disk ${target.text} on RBD becomes an ordinary disk: its TYPE must be RBD_CDROM.`)] : [];
  return [...serial, ...readonlySata, ...optical];
}
