import { writeXml } from "../../codec/xml-write.ts";
import type { Settings } from "../../core/settings.ts";
import { type DomainElement, type DomainNode, element, textElement } from "../element.ts";
import type { Values } from "./values.ts";

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

const rbd = (device: Kind["device"]): Describe => ({ values, vmid }) => {
  const volatile = values.get("SOURCE") === "";
  const base = values.get("SOURCE") || `${values.get("POOL_NAME") || "one"}/one-sys`;
  const name = volatile || values.get("CLONE") === "YES" ? `${base}-${vmid}-${values.get("DISK_ID")}` : base;
  return network("rbd", device, name, values.get("CEPH_HOST"), {}, authentication("ceph", values.get("CEPH_USER"), "uuid", values.get("CEPH_SECRET")));
};

const iscsi: Describe = ({ values }) =>
  network("iscsi", "disk", values.get("ISCSI_IQN") || values.get("SOURCE"), values.get("ISCSI_HOST"), {}, authentication("iscsi", values.get("ISCSI_USER"), "usage", values.get("ISCSI_USAGE")));

const sheepdog = (device: Kind["device"]): Describe => ({ values, vmid }) => {
  const suffix = values.get("CLONE") === "YES" ? `-${vmid}-${values.get("DISK_ID")}` : "";
  return network("sheepdog", device, values.get("SOURCE") + suffix, values.get("SHEEPDOG_HOST"), { transport: "tcp" }, []);
};

const gluster = (device: Kind["device"]): Describe => ({ values, vmid }) => {
  const tail = values.get("CLONE") === "YES" ? `${vmid}/disk.${values.get("DISK_ID")}` : (values.get("SOURCE").split("/").filter((part) => part !== "").at(-1) ?? "");
  return network("gluster", device, `${values.get("GLUSTER_VOLUME")}/${tail}`, values.get("GLUSTER_HOST"), { transport: "tcp" }, []);
};

/** Kinds by TYPE, compared without regard to case. A CD-ROM also looks at DISK_TYPE; so does whatever has no kind of its own. */
const BY_TYPE: Readonly<Record<string, Describe>> = {
  block: local("block", "disk"), block_cdrom: local("block", "cdrom"), iscsi, rbd: rbd("disk"), rbd_cdrom: rbd("cdrom"),
  sheepdog: sheepdog("disk"), sheepdog_cdrom: sheepdog("cdrom"), gluster: gluster("disk"), gluster_cdrom: gluster("cdrom"),
};

const BY_DISK_TYPE: Readonly<Record<string, Describe>> = {
  RBD: (disk) => network("rbd", "disk", `${disk.values.get("POOL_NAME")}/one-sys-${disk.vmid}-${disk.values.get("DISK_ID")}`, disk.values.get("CEPH_HOST"), {},
    authentication("ceph", disk.values.get("CEPH_USER"), "uuid", disk.values.get("CEPH_SECRET"))),
  BLOCK: local("block", "disk"), SHEEPDOG: sheepdog("disk"), SHEEPDOG_CDROM: sheepdog("cdrom"), GLUSTER: gluster("disk"),
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

function network(protocol: string, device: Kind["device"], name: string, hosts: string, more: Readonly<Record<string, string>>, auth: readonly DomainNode[]): Kind {
  return { type: "network", device, source: [element("source", { name, protocol }, hosts.split(/\s+/).filter((each) => each !== "").map((each) => host(each, more))), ...auth] };
}

/** NAME, NAME:PORT or [IPv6]:PORT. */
function host(text: string, more: Readonly<Record<string, string>>): DomainElement {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(text) ?? [];
  return element("host", { name: bracketed ?? plain ?? text, port: port || undefined, ...more });
}

function authentication(type: string, user: string, key: string, secret: string): readonly DomainNode[] {
  return user === "" || secret === "" ? [] : [element("auth", { username: user }, [element("secret", { type, [key]: secret })])];
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

type Limit = (name: string) => string;

function ioTune({ values, kvmrc }: HotDisk): readonly DomainNode[] {
  const defaults = kvmrc as unknown as Readonly<Record<string, string>>;
  const limit: Limit = (name) => values.get(name) || (defaults[`DEFAULT_ATTACH_${name}`] ?? "");
  const rates = ["BYTES", "IOPS"].flatMap((what) => rate(what, limit));
  const isSet = ["TOTAL", "READ", "WRITE"].flatMap((who) => ["BYTES", "IOPS"].flatMap((what) => [`${who}_${what}_SEC`, `${who}_${what}_SEC_MAX`])).some((name) => limit(name) !== "");
  const size = limit("SIZE_IOPS_SEC");
  const counted = ["TOTAL", "READ", "WRITE"].some((who) => limit(`${who}_IOPS_SEC`) !== "");
  return isSet ? [element("iotune", {}, [...rates, ...(size !== "" && counted ? [textElement("size_iops_sec", size)] : [])])] : [];
}

/** A limit on the total replaces limits on reads and writes. */
function rate(what: string, limit: Limit): readonly DomainNode[] {
  const total = limit(`TOTAL_${what}_SEC`) !== "" || limit(`TOTAL_${what}_SEC_MAX`) !== "";
  return (total ? ["TOTAL"] : ["READ", "WRITE"]).flatMap((who) => group(`${who}_${what}_SEC`, limit));
}

/** The rate, a maximum when it is greater, and how long the maximum may last. */
function group(name: string, limit: Limit): readonly DomainNode[] {
  const [base, max, length] = [limit(name), limit(`${name}_MAX`), limit(`${name}_MAX_LENGTH`)];
  const bursts = max !== "" && Number(max) > Number(base || 0);
  const node = (suffix: string, value: string) => (value === "" ? [] : [textElement(`${name}${suffix}`.toLowerCase(), value)]);
  return [...node("", base), ...(bursts ? [...node("_MAX", max), ...node("_MAX_LENGTH", length)] : [])];
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
