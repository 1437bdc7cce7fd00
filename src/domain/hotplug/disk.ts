import { writeXml } from "../../codec/xml-write.ts";
import { OnevirtError } from "../../core/errors.ts";
import type { Settings } from "../../core/settings.ts";
import { type Limit, throttling } from "../devices/iotune.ts";
import { networkVolume, type VolumeProtocol } from "../devices/network-volume.ts";
import { type DomainElement, type DomainNode, element, textElement } from "../element.ts";
import type { AttributeView } from "../levels.ts";
import { NOTHING } from "../source.ts";
import { asValue, type Values } from "./values.ts";

/** A disk that is to be attached, as the driver message and the arguments of the action say it. */
export interface HotDisk {
  readonly values: Values;
  /** Where its data is on this host. */
  readonly path: string;
  /** The same with OpenNebula's link resolved, for a disk that is a file. */
  readonly file: string;
  readonly target: string;
  readonly vmid: string;
  /** TEMPLATE/VCPU and TEMPLATE/FEATURES/VIRTIO_BLK_QUEUES of the VM. */
  readonly vcpu: string;
  readonly queues: string;
  /** I/O threads of the running domain. */
  readonly ioThreads: number;
  readonly kvmrc: Settings["kvmrc"];
}

/** The <disk> of a hot-plugged disk (actions.md 8). Defaults come from kvmrc, the bus from libvirt. */
export function diskXml(disk: HotDisk): string {
  const { type, device, source } = kindOf(disk);
  const nodes = [
    driver(disk, device), ...source, element("target", { dev: disk.target }), ...order(disk), ...marks(disk), ...encryption(disk), ...ioTune(disk), ...address(disk), ...serial(disk),
  ];
  return writeXml(element("disk", { type, device }, nodes));
}

interface Kind {
  readonly type: "file" | "block" | "network";
  readonly device: "disk" | "cdrom";
  readonly source: readonly DomainNode[];
}

type Describe = (disk: HotDisk) => Kind;

const local = (type: "file" | "block", device: Kind["device"]): Describe => ({ path, file }) => ({ type, device, source: [element("source", type === "file" ? { file } : { dev: path })] });

/** Copies and volatile disks have the numbers of VM and disk in their names, as at deploy. */
const network = (protocol: VolumeProtocol, device: Kind["device"], view = ({ values }: HotDisk): AttributeView => values.view): Describe => (disk) => ({
  type: "network", device,
  source: networkVolume(protocol, {
    view: view(disk), vm: asValue(disk.vmid), id: disk.values.view.get("DISK_ID"), usualPorts: false,
    refuse: (reason) => new OnevirtError("BAD_INPUT", `Cannot attach the disk: ${reason}`),
  }),
});

/** A disk that only DISK_TYPE places in Ceph is a volatile one, whatever its SOURCE says. */
const volatile = ({ values: { view } }: HotDisk): AttributeView => ({ get: (key) => (key === "SOURCE" ? NOTHING : view.get(key)) });

/** Kinds by TYPE, compared without regard to case. A CD-ROM also looks at DISK_TYPE; so does whatever has no kind of its own. */
const BY_TYPE: Readonly<Record<string, Describe>> = {
  block: local("block", "disk"), block_cdrom: local("block", "cdrom"), iscsi: network("iscsi", "disk"), rbd: network("rbd", "disk"), rbd_cdrom: network("rbd", "cdrom"),
  sheepdog: network("sheepdog", "disk"), sheepdog_cdrom: network("sheepdog", "cdrom"), gluster: network("gluster", "disk"), gluster_cdrom: network("gluster", "cdrom"),
};

const BY_DISK_TYPE: Readonly<Record<string, Describe>> = {
  RBD: network("rbd", "disk", volatile), BLOCK: local("block", "disk"), SHEEPDOG: network("sheepdog", "disk"), SHEEPDOG_CDROM: network("sheepdog", "cdrom"), GLUSTER: network("gluster", "disk"),
};

function kindOf(disk: HotDisk): Kind {
  const type = disk.values.get("TYPE").toLowerCase();
  const diskType = disk.values.get("DISK_TYPE");
  if (type === "cdrom") return local(diskType === "BLOCK" ? "block" : "file", "cdrom")(disk);
  const describe = own(BY_TYPE, type) ?? own(BY_DISK_TYPE, diskType) ?? local("file", "disk");
  return describe(disk);
}

/** Names come from users: "constructor" is no kind. */
function own(table: Readonly<Record<string, Describe>>, name: string): Describe | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function driver(disk: HotDisk, device: Kind["device"]): DomainElement {
  const { values, kvmrc } = disk;
  const isCdrom = values.get("TYPE").toLowerCase() === "cdrom";
  const virtio = device === "disk" && disk.target.startsWith("vd");
  return element("driver", {
    name: "qemu", type: isCdrom ? "raw" : values.get("DRIVER") || "raw", cache: values.get("CACHE") || kvmrc.DEFAULT_ATTACH_CACHE,
    io: optional(values.get("IO") || kvmrc.DEFAULT_ATTACH_IO), discard: optional(values.get("DISCARD") || kvmrc.DEFAULT_ATTACH_DISCARD),
    iothread: virtio ? ioThread(disk) : undefined, queues: virtio ? queues(disk) : undefined,
  });
}

/** The thread that was asked for, else disks are spread over the threads of the domain; never one that it does not have. */
function ioThread({ values, kvmrc, ioThreads }: HotDisk): number | undefined {
  if (ioThreads <= 0) return undefined;
  const asked = values.get("IOTHREAD") || kvmrc.DEFAULT_ATTACH_VIRTIO_BLK_IOTHREAD;
  if (/^\d{1,9}$/.test(asked) && Number(asked) > 0) return Math.min(Number(asked), ioThreads);
  const id = values.get("DISK_ID");
  return /^\d{1,9}$/.test(id) ? (Number(id) % ioThreads) + 1 : 1;
}

function queues({ values, kvmrc, queues: ofVm, vcpu }: HotDisk): string | undefined {
  const asked = values.get("VIRTIO_BLK_QUEUES") || ofVm || kvmrc.DEFAULT_ATTACH_VIRTIO_BLK_QUEUES;
  return asked.toLowerCase() === "auto" ? vcpu || "1" : optional(asked);
}

function order({ values }: HotDisk): readonly DomainNode[] {
  return values.get("ORDER") === "" ? [] : [element("boot", { order: values.get("ORDER") })];
}

function marks({ values }: HotDisk): readonly DomainNode[] {
  return [...(values.isYes("READONLY") ? [element("readonly")] : []), ...(values.isYes("SHAREABLE") ? [element("shareable")] : [])];
}

function encryption({ values }: HotDisk): readonly DomainNode[] {
  const secret = values.get("LUKS_SECRET");
  return secret === "" ? [] : [element("encryption", { format: "luks" }, [element("secret", { type: "passphrase", uuid: secret })])];
}

/** The limits of the disk, else of kvmrc; as they are given, not as numbers (actions.md 8.3). */
function ioTune({ values, kvmrc }: HotDisk): readonly DomainNode[] {
  const defaults = kvmrc as unknown as Readonly<Record<string, string>>;
  const limit: Limit = (key) => asValue(values.get(key) || (defaults[`DEFAULT_ATTACH_${key}`] ?? ""));
  return throttling(limit, (key, value) => textElement(key.toLowerCase(), value), "throttling keys of the disk, else DEFAULT_ATTACH_* of kvmrc");
}

/** `sda` is unit 0 of the one SCSI controller, `sdaa` unit 26. */
function address({ target }: HotDisk): readonly DomainNode[] {
  const letters = /^sd([a-z]{1,3})$/.exec(target)?.[1];
  if (letters === undefined) return [];
  const number = [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 96, 0) - 1;
  return number < 256 ? [element("address", { type: "drive", controller: 0, bus: 0, target: number, unit: 0 })] : [];
}

function serial({ values }: HotDisk): readonly DomainNode[] {
  const text = values.get("SERIAL").replace(/[^0-9A-Za-z._-]/g, "");
  return text === "" ? [] : [textElement("serial", text)];
}

function optional(text: string): string | undefined {
  return text === "" ? undefined : text;
}
