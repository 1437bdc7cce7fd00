import type { DomainNode } from "../element.ts";
import type { AttributeView } from "../levels.ts";
import { derived, orElse, type Value } from "../source.ts";
import { authentication, networkSource } from "./network-source.ts";

export type VolumeProtocol = "iscsi" | "rbd" | "sheepdog" | "gluster";

/** A disk whose data is on a network storage. */
export interface NetworkVolume {
  readonly view: AttributeView;
  /** Numbers of the VM and of the disk: copies have them in their names. */
  readonly vm: Value;
  readonly id: Value;
  /** Servers without a port get the usual one of their protocol. At deploy oned writes it; hotplug leaves it to libvirt (actions.md 8.3). */
  readonly usualPorts: boolean;
  /** The error of a disk that cannot be named. */
  readonly refuse: (reason: string) => Error;
}

/** `<source>`, and `<auth>` where the protocol has it, of a volume; named as OpenNebula's storage drivers name it. */
export function networkVolume(protocol: VolumeProtocol, volume: NetworkVolume): readonly DomainNode[] {
  const { name, servers, port, transport, auth = [] } = PROTOCOLS[protocol](volume);
  return [networkSource(protocol, name, volume.view.get(servers), { ...(port !== undefined && volume.usualPorts ? { port } : {}), ...(transport === undefined ? {} : { transport }) }), ...auth];
}

interface Described {
  readonly name: Value;
  /** Key of the list of servers. */
  readonly servers: string;
  readonly port?: string;
  readonly transport?: string;
  readonly auth?: readonly DomainNode[];
}

const PROTOCOLS: Readonly<Record<VolumeProtocol, (volume: NetworkVolume) => Described>> = {
  iscsi: ({ view }) => ({
    name: orElse(view.get("ISCSI_IQN"), view.get("SOURCE")), servers: "ISCSI_HOST", port: "3260",
    auth: authentication("iscsi", view.get("ISCSI_USER"), "usage", view.get("ISCSI_USAGE")),
  }),
  rbd: (volume) => ({
    name: rbdName(volume), servers: "CEPH_HOST", port: "6789",
    auth: authentication("ceph", volume.view.get("CEPH_USER"), "uuid", volume.view.get("CEPH_SECRET")),
  }),
  sheepdog: ({ view, vm, id }) => {
    const source = view.get("SOURCE");
    const clone = view.get("CLONE");
    return { name: clone.text === "YES" ? derived(`${source.text}-${vm.text}-${id.text}`, source, clone, vm, id) : source, servers: "SHEEPDOG_HOST", transport: "tcp" };
  },
  gluster: (volume) => ({ name: glusterName(volume), servers: "GLUSTER_HOST", port: "24007", transport: "tcp" }),
};

/** A copy has VM and disk in its name; a disk without source is volatile, in the pool of the system datastore. */
function rbdName({ view, vm, id }: NetworkVolume): Value {
  const source = view.get("SOURCE");
  const pool = view.get("POOL_NAME");
  const volatile = source.text === "";
  const base = volatile ? derived(`${pool.text || "one"}/one-sys`, pool) : source;
  const copy = volatile || view.get("CLONE").text === "YES";
  return copy ? derived(`${base.text}-${vm.text}-${id.text}`, base, view.get("CLONE"), vm, id) : base;
}

function glusterName({ view, vm, id, refuse }: NetworkVolume): Value {
  const clone = view.get("CLONE");
  const source = view.get("SOURCE");
  const last = source.text.split("/").filter((piece) => piece !== "").at(-1);
  if (clone.text !== "YES" && last === undefined) throw refuse(`SOURCE of GLUSTER disk ${id.text} is empty`);
  const tail = clone.text === "YES" ? derived(`${vm.text}/disk.${id.text}`, clone, vm, id) : derived(last ?? "", source);
  const volume = view.get("GLUSTER_VOLUME");
  return derived(`${volume.text}/${tail.text}`, volume, tail);
}
