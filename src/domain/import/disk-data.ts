import { quoteWord } from "../../codec/shell-word.ts";
import type { Reading } from "./reading.ts";

/** Where a disk's data is, and what OpenNebula would store with the VM once that data is an image. */
export interface DiskData {
  readonly image: string;
  readonly stored: Readonly<Record<string, string>>;
  readonly comments: readonly string[];
}

interface Place {
  readonly stored: Readonly<Record<string, string>>;
  /** For people: what the data is. */
  readonly what: string;
  /** Options of oneimage that name the data. */
  readonly options: readonly string[];
}

/** The data of a disk; undefined without any, or where OpenNebula cannot keep it. */
export function dataOf(own: Reading, cdrom: boolean, image: string): DiskData | undefined {
  own.attribute("type");
  const format = own.child("driver")?.attribute("type") ?? "raw";
  const source = own.child("source");
  const place = source && (local(source, cdrom) ?? network(own, source, cdrom));
  if (!place) return undefined;
  own.child("backingStore")?.finish();
  return { image, stored: { ...place.stored, ...(cdrom ? { READONLY: "YES" } : { DRIVER: format }) }, comments: [`Image ${JSON.stringify(image)}: ${place.what}. To register it:`, `  ${command(image, cdrom, format, place.options)}`] };
}

function command(image: string, cdrom: boolean, format: string, options: readonly string[]): string {
  const words = ["oneimage", "create", "--datastore", "DATASTORE", "--name", quoteWord(image), ...options, ...(cdrom ? ["--type", "CDROM"] : ["--format", quoteWord(format), "--persistent"])];
  return words.join(" ");
}

function local(source: Reading, cdrom: boolean): Place | undefined {
  const [file, device] = [source.attribute("file"), source.attribute("dev")];
  const path = file ?? device;
  if (path === undefined) return undefined;
  const type = cdrom ? { TYPE: "CDROM", ...(file === undefined ? { DISK_TYPE: "BLOCK" } : {}) } : { TYPE: file === undefined ? "BLOCK" : "FILE" };
  return { stored: type, what: `${file === undefined ? "device" : "file"} ${JSON.stringify(path)}`, options: ["--path", quoteWord(path)] };
}

/** What names the servers, the volume and the secret of each protocol. */
const PROTOCOLS: Readonly<Record<string, (name: string, user: Secret) => Readonly<Record<string, string>>>> = {
  rbd: (name, { user, key }) => ({ SOURCE: name, CEPH_USER: user, CEPH_SECRET: key }),
  iscsi: (name, { user, key }) => ({ ISCSI_IQN: name, ISCSI_USER: user, ISCSI_USAGE: key }),
  gluster: (name) => ({ SOURCE: name, GLUSTER_VOLUME: name.split("/")[0] ?? "" }),
  sheepdog: (name) => ({ SOURCE: name }),
};

const SERVERS: Readonly<Record<string, string>> = { rbd: "CEPH_HOST", iscsi: "ISCSI_HOST", gluster: "GLUSTER_HOST", sheepdog: "SHEEPDOG_HOST" };

interface Secret {
  readonly user: string;
  readonly key: string;
}

function network(own: Reading, source: Reading, cdrom: boolean): Place | undefined {
  const protocol = source.attribute("protocol") ?? "";
  const describe = Object.hasOwn(PROTOCOLS, protocol) ? PROTOCOLS[protocol] : undefined;
  if (!describe || (cdrom && protocol === "iscsi")) return undefined;
  const name = source.attribute("name") ?? "";
  const servers = source.children("host").map(server).join(" ");
  const keys = describe(name, secretOf(own.child("auth") ?? source.child("auth")));
  const filled = Object.fromEntries(Object.entries({ ...keys, [SERVERS[protocol] ?? ""]: servers }).filter(([, value]) => value !== ""));
  return { stored: { TYPE: `${protocol.toUpperCase()}${cdrom ? "_CDROM" : ""}`, ...filled }, what: `${protocol} volume ${JSON.stringify(name)} on ${JSON.stringify(servers)}`, options: ["--source", quoteWord(name), "--size", "MIB"] };
}

function server(host: Reading): string {
  const [name = "", port] = [host.attribute("name"), host.attribute("port")];
  host.attribute("transport");
  return `${name.includes(":") ? `[${name}]` : name}${port === undefined ? "" : `:${port}`}`;
}

function secretOf(auth: Reading | undefined): Secret {
  const secret = auth?.child("secret");
  secret?.attribute("type");
  const [uuid, usage] = [secret?.attribute("uuid"), secret?.attribute("usage")];
  return { user: auth?.attribute("username") ?? "", key: uuid ?? usage ?? "" };
}
