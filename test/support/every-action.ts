import type { actions } from "../../src/actions/table.ts";
import { quoteWord } from "../../src/codec/shell-word.ts";
import { driverMessage } from "../unit/actions/message.ts";
import type { Result } from "./executable-tree.ts";
import { DATASTORE, type Guest, type Host, on, REMOTE } from "./lab.ts";

type ActionName = keyof typeof actions;

/** How oned calls an action: its words, and what it has on stdin. */
export interface Call {
  readonly words: readonly string[];
  readonly stdin: string;
}

const template = (inner: string) => driverMessage({ vm: `<TEMPLATE>${inner}</TEMPLATE>` });
const DISK = template("<DISK><ATTACH>YES</ATTACH><DISK_ID>1</DISK_ID><TYPE>FILE</TYPE><DRIVER>qcow2</DRIVER><TARGET>vdb</TARGET></DISK>");
const MAC = "02:00:0a:00:02:41";
const nic = (vmid: number) => template(`<NIC><ATTACH>YES</ATTACH><MAC>${MAC}</MAC><BRIDGE>onebr0</BRIDGE><TARGET>one-${vmid}-1</TARGET><MODEL>virtio</MODEL></NIC>`);
const RESIZE = template("<MEMORY>192</MEMORY><VCPU>1</VCPU><RESIZE><MEMORY>256</MEMORY><VCPU>1</VCPU></RESIZE>");
const migration = ({ directory, vmid }: Guest) => `<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>${directory}</DISK_TARGET_PATH><VM><ID>${vmid}</ID></VM><DATASTORE><BASE_PATH>${DATASTORE}</BASE_PATH><TEMPLATE><SHARED>YES</SHARED></TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>`;

/** Every action for a VM on hosta, in an order in which each can succeed; the disk, the context image and the drive sdz are the caller's. */
export const EVERY_ACTION: Readonly<Record<ActionName, (guest: Guest) => Call>> = {
  poll: ({ uuid, vmid }) => ({ words: [uuid, "hosta", `${vmid}`, "hosta"], stdin: "" }),
  attach_disk: ({ uuid, vmid, directory }) => ({ words: [uuid, `${directory}/disk.1`, "vdb", "1", "", `${vmid}`, "hosta"], stdin: DISK }),
  resize_disk: ({ uuid, vmid }) => ({ words: [uuid, "1", "8", "", "hosta", `${vmid}`, "hosta"], stdin: DISK }),
  detach_disk: ({ uuid, vmid, directory }) => ({ words: [uuid, `${directory}/disk.1`, "vdb", "1", `${vmid}`, "hosta"], stdin: DISK }),
  attach_nic: ({ uuid, vmid }) => ({ words: [uuid, MAC, "onebr0", "virtio", "dummy", `one-${vmid}-1`, `${vmid}`, "hosta"], stdin: nic(vmid) }),
  detach_nic: ({ uuid, vmid }) => ({ words: [uuid, MAC, `${vmid}`, "hosta"], stdin: nic(vmid) }),
  resize: ({ uuid, vmid }) => ({ words: [uuid, `${vmid}`, "hosta"], stdin: RESIZE }),
  reconfigure: ({ uuid, vmid, directory }) => ({ words: [uuid, "sdz", `${directory}/disk.2`, `${vmid}`, "hosta"], stdin: nic(vmid) }),
  prereconfigure: ({ uuid, vmid }) => ({ words: [uuid, "sdz", `${vmid}`, "hosta"], stdin: nic(vmid) }),
  snapshot_create: ({ uuid, vmid }) => ({ words: [uuid, "0", `${vmid}`, "hosta"], stdin: "" }),
  snapshot_revert: ({ uuid, vmid }) => ({ words: [uuid, "snap-0", `${vmid}`, "hosta"], stdin: "" }),
  snapshot_delete: ({ uuid, vmid }) => ({ words: [uuid, "snap-0", `${vmid}`, "hosta"], stdin: "" }),
  exec: ({ vmid }) => ({ words: [`${vmid}`, "hosta", "true"], stdin: "" }),
  exec_cancel: ({ vmid }) => ({ words: [`${vmid}`, "hosta"], stdin: "" }),
  reboot: ({ uuid, vmid }) => ({ words: [uuid, "hosta", `${vmid}`, "hosta"], stdin: "" }),
  reset: ({ uuid, vmid }) => ({ words: [uuid, "hosta", `${vmid}`, "hosta"], stdin: "" }),
  migrate: (guest) => ({ words: [guest.uuid, "hostb", "hosta", `${guest.vmid}`, "hosta"], stdin: migration(guest) }),
  migrate_local: (guest) => ({ words: [guest.uuid, "hostb", "hosta", `${guest.vmid}`, "hosta"], stdin: migration(guest) }),
  save: ({ uuid, vmid, directory }) => ({ words: [uuid, `${directory}/checkpoint`, "hosta", `${vmid}`, "hosta"], stdin: driverMessage() }),
  restore: ({ uuid, vmid, directory }) => ({ words: [`${directory}/checkpoint`, "hosta", uuid, `${vmid}`, "hosta"], stdin: driverMessage() }),
  shutdown: ({ uuid, vmid }) => ({ words: [uuid, "hosta", `${vmid}`, "hosta"], stdin: "" }),
  deploy: ({ file, vmid, xml }) => ({ words: [file, "hosta", `${vmid}`, "hosta"], stdin: xml }),
  cancel: ({ uuid, vmid }) => ({ words: [uuid, "hosta", `${vmid}`, "hosta"], stdin: "" }),
};

/** Their names, in that order. */
export const ACTION_NAMES = Object.keys(EVERY_ACTION) as readonly ActionName[];

/** Calls actions on a host, all at the same time and over one connection: sshd refuses many sessions in one. */
export async function atOnce(host: Host, guest: Guest, names: readonly ActionName[]): Promise<ReadonlyMap<ActionName, Result>> {
  const lines = names.map((name) => {
    const { words, stdin } = EVERY_ACTION[name](guest);
    return `(echo ${Buffer.from(stdin).toString("base64")} | base64 -d | ${REMOTE}/${name} ${words.map(quoteWord).join(" ")} >$D/${name}.out 2>$D/${name}.err; echo $? >$D/${name}.code) &`;
  });
  const { stdout } = await on(host, `D=$(mktemp -d); ${lines.join("\n")}\nwait; for name in ${names.join(" ")}; do for part in code out err; do echo ":$(base64 -w0 <$D/$name.$part)"; done; done; rm -r "$D"`);
  const texts = stdout.trim().split("\n").map((line) => Buffer.from(line.slice(1), "base64").toString());
  return new Map(names.map((name, at) => [name, { exitCode: Number(texts[at * 3]?.trim() || NaN), stdout: texts[at * 3 + 1] ?? "", stderr: texts[at * 3 + 2] ?? "" }]));
}
