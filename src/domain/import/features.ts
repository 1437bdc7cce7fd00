import { HYPERV_ELEMENTS, refusal } from "../fragment.ts";
import { defaultText, sameElements } from "./default-text.ts";
import { find } from "./numa.ts";
import { ioThreads } from "./memory-backing.ts";
import { isSecure } from "./os.ts";
import { type Importer, type Piece, raw, vector, type Wild } from "./piece.ts";
import { hasOnly, rawText } from "./raw-text.ts";
import type { Reading } from "./reading.ts";

/** FEATURES, HYPERV_OPTIONS, and the clock that goes with them. */
export const features: Importer = (wild) => {
  const own = wild.root.child("features");
  const clock = readClock(wild);
  const enlightened = own?.child("hyperv");
  const options = enlightened && clock.usual ? hypervOptions(wild, enlightened) : undefined;
  const switches = Object.fromEntries(["pae", "acpi", "apic"].map((name) => [name.toUpperCase(), own?.child(name) ? "YES" : "NO"]));
  const entries = {
    ...switches, HYPERV: options ? "YES" : undefined, LOCALTIME: clock.usual && clock.offset === "localtime" ? "YES" : undefined,
    GUEST_AGENT: guestAgent(wild) ? "YES" : "NO", VIRTIO_SCSI_QUEUES: scsiQueues(wild), IOTHREADS: ioThreads(wild), ...ofMachine(wild, own),
  };
  return [...vector("FEATURES", entries), ...(options ?? []), ...rest(wild, own), ...clock.raw(options !== undefined)];
};

/** GIC, RAS, and the room for PCI devices. */
function ofMachine({ devices, arch }: Wild, own: Reading | undefined): Readonly<Record<string, string | undefined>> {
  const hole = (devices?.children("controller") ?? []).map((each) => each.child("pcihole64")).find((each) => each !== undefined);
  hole?.attribute("unit");
  if (arch !== "aarch64") return { PCIHOLE64: hole?.text() };
  return { GIC: own?.child("gic")?.attribute("version"), RAS: own?.child("ras")?.attribute("state") === "on" ? "YES" : undefined, PCIHOLE64: hole?.text() };
}

/** Features without an attribute. libvirt adds up what several sections hold. */
function rest(wild: Wild, own: Reading | undefined): readonly Piece[] {
  const known = ["pae", "acpi", "apic", ...(wild.arch === "aarch64" ? ["gic", "ras"] : [])];
  const left = (own?.all() ?? []).filter((each) => !known.includes(each.name) && !each.isTaken && !comesAnyway(wild, each));
  return left.map((each) => raw("features", each));
}

/** Secure boot brings smm, interrupt remapping of an Intel IOMMU the I/O APIC of QEMU. */
function comesAnyway(wild: Wild, feature: Reading): boolean {
  const smm = feature.name === "smm" && feature.attribute("state") === "on" && hasOnly(feature.element, ["state"]) && isSecure(wild);
  const iommu = find(wild.root.element, "devices", "iommu", "driver")[0]?.attributes ?? {};
  const ioapic = feature.name === "ioapic" && hasOnly(feature.element, ["driver"]) && feature.attribute("driver") === "qemu" && find(wild.root.element, "devices", "iommu")[0]?.attributes["model"] === "intel" && (iommu["intremap"] === "on" || iommu["eim"] === "on");
  if (smm || ioapic) feature.finish();
  return smm || ioapic;
}

/** HYPERV_OPTIONS, empty where the defaults say the same; undefined when a VM may not ask for what it has. */
function hypervOptions(wild: Wild, own: Reading): readonly Piece[] | undefined {
  const text = own.all().map(({ element }) => rawText(element)).join("\n");
  if (!["custom", undefined].includes(own.element.attributes["mode"]) || Object.keys(own.element.attributes).some((name) => name !== "mode") || refusal(text, "HYPERV_OPTIONS", HYPERV_ELEMENTS) !== undefined) return undefined;
  own.finish();
  return sameElements(text, defaultText(wild.arch, "HYPERV_OPTIONS")) ? [] : [{ kind: "single", name: "HYPERV_OPTIONS", value: text }];
}

interface Clock {
  /** Whether LOCALTIME or HYPERV would write this very clock. */
  readonly usual: boolean;
  readonly offset: string;
  readonly raw: (written: boolean) => readonly Piece[];
}

function readClock(wild: Wild): Clock {
  const own = wild.root.child("clock");
  const offset = own?.attribute("offset") ?? "utc";
  const timers = own?.element.children.flatMap((each) => (typeof each === "string" ? [] : [rawText(each)])).join("\n") ?? "";
  const plain = Object.keys(own?.element.attributes ?? {}).every((name) => name === "offset");
  const usual = plain && ["utc", "localtime"].includes(offset) && sameElements(timers, defaultText(wild.arch, "HYPERV_TIMERS"));
  const isDefault = plain && offset === "utc" && timers === "";
  own?.finish();
  const raw = (written: boolean): readonly Piece[] => (!own || written || isDefault || (usual && offset === "localtime") ? [] : [{ kind: "raw", parent: "domain", element: own.element }]);
  return { usual, offset, raw };
}

function guestAgent({ devices }: Wild): boolean {
  const channel = (devices?.children("channel") ?? []).find((each) => each.element.attributes["type"] === "unix" && find(each.element, "target")[0]?.attributes["name"] === "org.qemu.guest_agent.0");
  channel?.claim();
  channel?.attribute("type");
  for (const [name, attributes] of [["source", ["mode", "path"]], ["target", ["type", "name", "state"]]] as const) for (const each of attributes) channel?.child(name)?.attribute(each);
  return channel !== undefined;
}

/** The generator's own controller, number 0. */
function scsiQueues({ devices }: Wild): string {
  const own = (devices?.children("controller") ?? []).find(({ element: { attributes } }) => attributes["type"] === "scsi" && attributes["index"] === "0" && attributes["model"] === "virtio-scsi");
  const driver = own?.child("driver");
  driver?.attribute("iothread");
  for (const name of ["type", "index", "model"]) own?.attribute(name);
  return driver?.attribute("queues") ?? "1";
}
