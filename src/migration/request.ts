import type { ActionMessage } from "../codec/action-message.ts";
import { OnevirtError } from "../core/errors.ts";

/** What oned asks for. */
export interface MigrationRequest {
  /** The domain as oned names it. */
  readonly ref: string;
  /** Hosts as OpenNebula knows them. */
  readonly source: string;
  readonly destination: string;
  /** Where libvirt of the destination is reached. */
  readonly destinationUri: string;
  readonly shared: boolean;
  /** Directories of the VM; undefined when oned did not say, as before 6.0. */
  readonly sourceDirectory: string | undefined;
  readonly destinationDirectory: string | undefined;
}

/** A host name or address as OpenNebula knows hosts: it becomes part of a URI and a word of ssh. */
const HOST = /^(?![-.])[A-Za-z0-9_.-]{1,255}$/;
const ADDRESS6 = /^[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9_.-]{1,15})?$/;
/** `qemu`, `qemu+ssh`, `qemu+tls` and the like. */
const PROTOCOL = /^[a-z][a-z0-9]*(\+[a-z0-9]+)?$/;

/** Reads the request from the arguments and, when there is one, the driver message. BAD_ARGUMENT and BAD_INPUT otherwise. */
export function readRequest(args: Readonly<Record<string, string>>, ref: string, message: ActionMessage | undefined, protocol: string): MigrationRequest {
  const source = args["source-host"] || args["source-host-again"] || "";
  const destination = args["destination-host"] ?? "";
  return {
    ref, source, destination,
    destinationUri: libvirtUri(protocol, destination),
    shared: message === undefined || message.text("DATASTORE/TEMPLATE/SHARED").toLowerCase() === "yes",
    ...directoriesOf(args.vmid ?? "", message),
  };
}

/** The URI of a peer's libvirt, as upstream builds it from QEMU_PROTOCOL. */
export function libvirtUri(protocol: string, host: string): string {
  if (!PROTOCOL.test(protocol)) throw new OnevirtError("BAD_CONFIG", `Cannot use ${JSON.stringify(protocol.slice(0, 80))} as QEMU_PROTOCOL: expected a protocol of libvirt, as in qemu+ssh`);
  if (!HOST.test(host) && !ADDRESS6.test(host)) throw new OnevirtError("BAD_ARGUMENT", `Cannot use ${JSON.stringify(host.slice(0, 80))} as a host: it is neither a name nor an address`);
  return `${protocol}://${ADDRESS6.test(host) && host.includes(":") ? `[${host}]` : host}/system`;
}

function directoriesOf(vmid: string, message: ActionMessage | undefined): Pick<MigrationRequest, "sourceDirectory" | "destinationDirectory"> {
  const base = message?.text("DATASTORE/BASE_PATH").trim() ?? "";
  const target = message?.text("DISK_TARGET_PATH").trim() ?? "";
  const id = /^\d{1,10}$/.test(vmid) ? vmid : (message?.text("VM/ID").trim() ?? "");
  return {
    sourceDirectory: base === "" || id === "" ? undefined : requirePath(`${base}/${id}`, "the directory of the VM"),
    destinationDirectory: target === "" ? undefined : requirePath(target, "the directory of the VM on the destination"),
  };
}

/** A path as oned writes it: absolute, plain, and with an entry of its own. */
function requirePath(path: string, what: string): string {
  const bad = !path.startsWith("/") || /\p{Cc}/u.test(path) || path.split("/").includes("..") || path.replaceAll("/", "") === "";
  if (bad) throw new OnevirtError("BAD_INPUT", `Cannot use ${JSON.stringify(path.slice(0, 200))} as ${what}: it is no plain absolute path`);
  return path;
}
