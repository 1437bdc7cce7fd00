import { busOfTarget, prefixFor, targetsOf } from "./disk-name.ts";
import { dataOf } from "./disk-data.ts";
import { bootDevices } from "./os.ts";
import { find } from "./numa.ts";
import { acceptedName } from "./identity.ts";
import { type Importer, note, type Piece, raw, vector, type Wild } from "./piece.ts";
import { lineOf } from "./raw-text.ts";
import type { Reading } from "./reading.ts";

/** A DISK for each disk that has data. Its image must be made first: how stands above it. */
export const disks: Importer = (wild) => {
  const turns = inTurn(wild);
  return (wild.devices?.children("disk") ?? []).flatMap((each) => disk(wild, each, turns));
};

function disk(wild: Wild, own: Reading, turns: boolean): readonly Piece[] {
  const device = own.attribute("device") ?? "disk";
  const target = own.child("target")?.attribute("dev") ?? "";
  const data = dataOf(own, device === "cdrom", acceptedName(`${wild.vmName}-${target}`));
  if (data === undefined || !["disk", "cdrom", "lun"].includes(device)) {
    own.finish();
    return [note(`${device} ${target} is left out, ${data === undefined ? "because it holds no data that OpenNebula could register as an image" : "because OpenNebula knows disks and optical drives only"}: ${lineOf(own.element)}`)];
  }
  const place = placeOf(wild, own, device === "cdrom", target);
  // An optical drive is read-only by itself.
  const refused = own.child("readonly") !== undefined && device !== "cdrom" && ["sata", "ide"].includes(place.bus);
  const entries = { IMAGE: data.image, TARGET: place.target, READONLY: own.child("readonly") && device !== "cdrom" && !refused ? "YES" : undefined, ...driver(own, turns), SERIAL: own.childText("serial"), LUKS_SECRET: luks(own), ...throttling(own) };
  return [
    ...vector("DISK", entries, { stored: { ...data.stored, ...(own.child("shareable") ? { SHAREABLE: "YES" } : {}) }, order: bootOrder(own) ?? bootByKind(wild, own), comments: comments(own, data.comments) }),
    ...place.notes, ...(refused ? [note(`disk ${target} is read-only: libvirt refuses that on ${place.bus}`)] : []), ...(device === "lun" ? [note(`disk ${target} hands SCSI commands through (lun): the template makes it an ordinary disk`)] : []),
  ];
}

function comments(own: Reading, lines: readonly string[]): readonly string[] {
  return own.child("shareable") ? [...lines, "The disk is shared: its image needs PERSISTENT_TYPE=\"SHAREABLE\"."] : lines;
}

/** TARGET, with another prefix where OpenNebula would put this name on another bus. */
function placeOf(wild: Wild, own: Reading, cdrom: boolean, target: string): { readonly target: string; readonly bus: string; readonly notes: readonly Piece[] } {
  const bus = own.child("target")?.attribute("bus");
  const worked = busOfTarget(wild, cdrom, target);
  if (!/^(sd|vd|hd|xvd)[a-z]+$/.test(target)) return { target: freeName("sd", wild, "sda"), bus: "scsi", notes: [note(`disk ${JSON.stringify(target)} gets another name: OpenNebula knows vd, sd and hd with letters`)] };
  if (bus === undefined || bus === worked || cdrom) return { target, bus: worked, notes: cdrom && bus !== undefined && bus !== worked ? [note(`optical drive ${target} moves from ${bus} to ${worked}`)] : [] };
  const moved = freeName(prefixFor(wild, bus, target), wild, target);
  const now = busOfTarget(wild, false, moved);
  return { target: moved, bus: now, notes: [note(`disk ${target} on ${bus} becomes ${moved}${now === bus ? "" : ` on ${now}`}: OpenNebula tells the bus by the name`)] };
}

function freeName(prefix: string, { devices }: Wild, target: string): string {
  const used = targetsOf(devices).filter((each) => each !== target);
  const same = `${prefix}${target.replace(/^(xvd|[a-z]d)/, "")}`;
  if (!used.includes(same)) return same;
  return Array.from({ length: 26 }, (_, letter) => `${prefix}${String.fromCharCode(97 + letter)}`).find((each) => !used.includes(each)) ?? same;
}

/** All keys that have defaults are named, so that the defaults of a host do not change the disk. */
function driver(own: Reading, turns: boolean): Readonly<Record<string, string | undefined>> {
  const from = own.child("driver");
  from?.attribute("name");
  from?.attribute("type");
  const thread = from?.attribute("iothread");
  return {
    CACHE: from?.attribute("cache") ?? "default", IO: from?.attribute("io"), DISCARD: from?.attribute("discard") ?? "ignore",
    IOTHREAD: turns ? undefined : thread, VIRTIO_BLK_QUEUES: from?.attribute("queues"),
  };
}

/** Whether the disks take the threads in turn, as they do without IOTHREAD. */
function inTurn({ root, devices }: Wild): boolean {
  const count = Number(find(root.element, "iothreads")[0]?.children.join("") ?? 0);
  const virtio = find(devices?.element ?? root.element, "disk").filter((disk) => find(disk, "target")[0]?.attributes["bus"] === "virtio");
  return virtio.every((disk, position) => find(disk, "driver")[0]?.attributes["iothread"] === (count > 0 ? String((position % count) + 1) : undefined));
}

/** Depending on who wrote the document, it stands in the disk or in its source. */
function luks(own: Reading): string | undefined {
  const encryption = own.child("encryption") ?? own.child("source")?.child("encryption");
  if (encryption?.attribute("format") !== "luks") return undefined;
  const secret = encryption.child("secret");
  secret?.attribute("type");
  return secret?.attribute("uuid");
}

const KEYS = /^((total|read|write)_(bytes|iops)_sec(_max|_max_length)?|size_iops_sec)$/;

function throttling(own: Reading): Readonly<Record<string, string>> {
  const limits = (own.child("iotune")?.all() ?? []).filter(({ name }) => KEYS.test(name));
  return Object.fromEntries(limits.map((each) => [each.name.toUpperCase(), each.text()]));
}

/** Place in the boot order; undefined without one. */
export function bootOrder(own: Reading): number | undefined {
  const order = own.child("boot")?.attribute("order");
  return order === undefined ? undefined : Number(order);
}

/** `<boot dev=…>` of the domain means the first device of a kind. That a disk comes first is so without it. */
export function bootByKind({ devices, root }: Wild, own: Reading): number | undefined {
  const kinds = bootDevices({ root } as Wild);
  if (kinds.length === 0 || kinds.join() === "hd") return undefined;
  const kind = own.name === "interface" ? "network" : own.element.attributes["device"] === "cdrom" ? "cdrom" : "hd";
  if (!kinds.includes(kind)) return undefined;
  const first = devices?.all().find(({ name, element }) => name === own.name && (name === "interface" || (element.attributes["device"] === "cdrom") === (kind === "cdrom")));
  return first === own ? kinds.indexOf(kind) + 1 : undefined;
}

/** A directory that the guest sees through virtiofs becomes a DISK; other file systems only RAW expresses. */
export const shares: Importer = (wild) => (wild.devices?.children("filesystem") ?? []).flatMap((own): readonly Piece[] => {
  if (own.child("driver")?.attribute("type") !== "virtiofs") return [raw("devices", own)];
  const [path, tag] = [own.child("source")?.attribute("dir") ?? "", own.child("target")?.attribute("dir") ?? ""];
  own.finish();
  const image = acceptedName(`${wild.vmName}-${tag}`);
  return vector("DISK", { IMAGE: image, MOUNT_TAG: tag }, { stored: { TYPE: "FILESYSTEM", SOURCE: path }, comments: [`Image ${JSON.stringify(image)}: the directory ${JSON.stringify(path)}, in a datastore of shared file systems.`] });
});
