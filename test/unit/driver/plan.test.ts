import { describe, expect, test } from "bun:test";
import { DriverMessage } from "../../../src/codec/driver-message.ts";
import { ACTIONS } from "../../../src/driver/action-table.ts";
import { Facts, targetIndex } from "../../../src/driver/facts.ts";
import { stepLimitSeconds } from "../../../src/driver/limits.ts";
import { parseOptions } from "../../../src/driver/options.ts";
import { planOf } from "../../../src/driver/plan.ts";
import type { PlannedStep } from "../../../src/driver/plan.ts";
import type { FrontEnd } from "../../../src/driver/ports.ts";
import { callsOf } from "../../../src/driver/step-runner.ts";
import { settingsOf } from "../../../src/driver/start.ts";
import { NIC, payload } from "../../fixtures/driver-message.ts";
import type { MessageParts } from "../../fixtures/driver-message.ts";

const frontEnd: FrontEnd = { isDirectory: (path) => !path.includes("absent"), exists: (path) => !path.includes(".ssh") && !path.includes("none"), isExecutable: () => true, findBytes: () => undefined, names: () => [] };
const environment = { LIVE_DISK_SNAPSHOTS: "kvm-ssh kvm-lvm_thin", VNMAD_LOCAL_ACTIONS: "elastic-post" };

function factsOf(action: string, parts: MessageParts = {}, more: { readonly options?: string; readonly oldForm?: boolean } = {}): Facts {
  const text = payload(parts);
  const settings = settingsOf(parseOptions([more.options ?? "kvm -p"]), environment, frontEnd);
  return new Facts({ action, id: "7", payload: text, oldForm: more.oldForm ?? false }, DriverMessage.parse(text), settings, Buffer.from("<domain/>"));
}

/** Steps as `name`, `name!` when its failure is ignored, `@` on the destination, and their roll-backs in brackets. */
function outline(action: string, parts: MessageParts = {}, more: Parameters<typeof factsOf>[2] = {}): string {
  const plan = planOf(factsOf(action, parts, more));
  const show = ({ step, name, rollback }: PlannedStep): string =>
    `${name}${step.onDestination ? "@" : ""}${step.noFail ? "!" : ""}${rollback.length > 0 ? `[${rollback.map(show).join(" ")}]` : ""}`;
  return typeof plan === "string" ? plan : `${plan.direct ? "direct " : ""}${plan.steps.map(show).join(" ")}`;
}

const file = { deployId: "", localFile: "/l/deployment.0", remoteFile: "/d//0/7/deployment.0" };
const move = { destination: "node2", command: "MIGRATE ssh node1 node2 /d 7 0\n" };
const disk = "<DISK><ATTACH>YES</ATTACH><TARGET>vdb</TARGET></DISK>";
const nic = NIC.replace("<NIC>", "<NIC><ATTACH>YES</ATTACH>");
const alias = NIC.replaceAll("NIC>", "NIC_ALIAS>").replace("<NIC_ALIAS>", "<NIC_ALIAS><ATTACH>YES</ATTACH>");
const snapshot = (tm: string, more = ""): MessageParts => ({ command: "SNAP_CREATE ssh a 1 7 1\n", template: `<DISK><DISK_SNAPSHOT_ACTIVE>YES</DISK_SNAPSHOT_ACTIVE><TM_MAD>${tm}</TM_MAD>${more}</DISK>` });

describe("steps of each action (driver-protocol.md 15)", () => {
  test.each([
    ["DEPLOY", file, "pre[clean!] /bin/mkdir -p /bin/cat - >/d//0/7/vm.xml /bin/cat - >/d//0/7/ds.xml deploy[clean] post[cancel clean]"],
    ["DEPLOY", { ...file, command: "CONTEXT ssh a b 7 0\n" }, "tm_context pre[clean!] /bin/mkdir -p /bin/cat - >/d//0/7/vm.xml /bin/cat - >/d//0/7/ds.xml deploy[clean] post[cancel clean]"],
    ["SHUTDOWN", {}, "shutdown clean"],
    ["CANCEL", {}, "cancel clean"],
    ["SAVE", {}, "save clean"],
    ["RESTORE", { command: "CONTEXT ssh a b 7 0\n" }, "tm_context pre restore post[cancel]"],
    ["MIGRATE", move, "tm_premigrate[tm_failmigrate] pre@[clean@! tm_failmigrate!] migrate[clean@! tm_failmigrate] clean! post@! tm_postmigrate!"],
    ["MIGRATE", { ...move, destination: "node1" }, "tm_premigrate[tm_failmigrate] migrate[tm_failmigrate] tm_postmigrate!"],
    ["POLL", {}, "direct poll"],
    ["REBOOT", {}, "reboot"],
    ["RESET", {}, "reset"],
    ["ATTACHDISK", { command: "LN ssh a b 7 1\n", rollback: "DELETE ssh b 7 1\n", template: disk }, "tm_attach attach_disk[tm_detach]"],
    ["ATTACHDISK", { command: "LN ssh a b 7 1\n", template: disk }, "tm_attach attach_disk"],
    ["DETACHDISK", { command: "DELETE ssh b 7 1\n", template: disk }, "detach_disk tm_detach"],
    ["SNAPSHOTCREATE", {}, "direct snapshot_create"],
    ["SNAPSHOTREVERT", {}, "SNAPSHOTREVERT post"],
    ["SNAPSHOTDELETE", {}, "direct snapshot_delete"],
    ["DISKSNAPSHOTCREATE", snapshot("ssh"), "tm_snap_create_live"],
    ["RESIZEDISK", { command: "RESIZE ssh a 2 7 1\n", template: "<DISK><RESIZE>YES</RESIZE><SIZE>2</SIZE><DISK_ID>0</DISK_ID></DISK>" }, "tm_resize resize_disk"],
    ["RESIZE", {}, "direct resize"],
    ["CLEANUP", { destination: "node2", command: "DELETE ssh a 7 1\n\nDELETE ssh b 7 0\n" }, "cancel! clean! cancel@! clean@! tm_delete! tm_delete!"],
    ["CLEANUP", { deployId: "" }, "clean!"],
    ["ATTACHNIC", { template: nic }, "pre attach_nic[clean!] post[detach_nic] prereconfigure[detach_nic] reconfigure[detach_nic! clean!]"],
    ["ATTACHNIC", { template: alias, command: "CONTEXT ssh a b 7 0\n" }, "pre post prereconfigure[detach_nic] tm_context reconfigure[clean!]"],
    ["DETACHNIC", { template: nic }, "detach_nic clean prereconfigure reconfigure"],
    ["DETACHNIC", { template: alias }, "clean prereconfigure reconfigure"],
    ["UPDATECONF", {}, "prereconfigure reconfigure"],
    ["UPDATESG", {}, "update_sg"],
    ["UPDATENIC", {}, "update_nic"],
    ["BACKUP", { command: "BACKUP ssh a 7 0\n", datastore: "<DATASTORE><DS_MAD>restic</DS_MAD></DATASTORE>" }, "prebackup[postbackup] backup[postbackup] postbackup"],
    ["BACKUP", { command: "BACKUP ssh a 7 0\n", vm: "<LCM_STATE>69</LCM_STATE>", datastore: "<DATASTORE><DS_MAD>restic</DS_MAD></DATASTORE>" }, "prebackup_live[postbackup_live] backup[postbackup_live] postbackup_live"],
    ["BACKUPCANCEL", { command: "BACKUPCANCEL ssh a x\n", datastore: "<DATASTORE><DS_MAD>restic</DS_MAD></DATASTORE>" }, "backup_cancel"],
    ["EXEC", { template: "<QEMU_GA_EXEC><COMMAND>ls</COMMAND></QEMU_GA_EXEC>" }, "direct exec"],
    ["EXEC_CANCEL", {}, "direct exec_cancel"],
  ] satisfies readonly (readonly [string, MessageParts, string])[])("%s %#", (action, parts, expected) => {
    expect(outline(action, parts)).toBe(expected);
  });

  test("every action of the table has a case above", () => {
    expect(Object.keys(ACTIONS).length).toBe(27);
  });

  test.each([
    ["DEPLOY", file, "pre[clean!] deploy post[cancel]"],
    ["REBOOT", {}, "direct reboot"],
    ["SNAPSHOTREVERT", {}, "direct SNAPSHOTREVERT"],
    ["DETACHNIC", { template: nic }, "detach_nic clean"],
    ["MIGRATE", move, "tm_premigrate pre@[clean@! tm_failmigrate!] migrate[clean@! tm_failmigrate] clean! post@! tm_postmigrate!"],
  ] satisfies readonly (readonly [string, MessageParts, string])[])("%s of a 5.x oned", (action, parts, expected) => {
    expect(outline(action, parts, { oldForm: true })).toBe(expected);
  });
});

describe("what is missing is said in upstream's words", () => {
  test.each([
    ["ATTACHDISK", {}, "Cannot perform ATTACHDISK, expecting TM_COMMAND"],
    ["ATTACHDISK", { command: "LN ssh a b\n" }, "Cannot perform ATTACHDISK, expecting VM/TEMPLATE/DISK[ATTACH='YES']/TARGET"],
    ["MIGRATE", { destination: "node2" }, "Cannot perform MIGRATE, expecting TM_COMMAND"],
    ["DISKSNAPSHOTCREATE", snapshot("dev"), "Cannot perform a live DISKSNAPSHOTCREATE operation"],
    ["DISKSNAPSHOTCREATE", snapshot("fs_lvm_ssh"), "Cannot perform a live DISKSNAPSHOTCREATE operation"],
    ["DISKSNAPSHOTCREATE", snapshot("fs_lvm_ssh", "<LVM_THIN_ENABLE>Yes</LVM_THIN_ENABLE>"), "tm_snap_create_live"],
    ["BACKUP", { command: "BACKUP ssh a\n", datastore: "" }, "Cannot perform BACKUP, expecting DATASTORE/DS_MAD"],
    ["DETACHNIC", {}, "Error in DETACHNIC, MAC needed in NIC"],
  ] satisfies readonly (readonly [string, MessageParts, string])[])("%s %#", (action, parts, expected) => {
    expect(outline(action, parts)).toBe(expected);
  });
});

describe("calls", () => {
  const calls = (action: string, parts: MessageParts, more: Parameters<typeof factsOf>[2] = {}) => {
    const facts = factsOf(action, parts, more);
    const plan = planOf(facts);
    if (typeof plan === "string") throw new Error(plan);
    return plan.steps.flatMap((step) => {
      const found = callsOf(step, facts, frontEnd, plan.direct);
      return typeof found === "string" ? [found] : found.map(({ host, argv }) => `${host || "front-end"} ${argv.join(" ")}`);
    });
  };

  test("-l runs a script of the front-end, under another name when asked", () => {
    expect(calls("CANCEL", {}, { options: "-l cancel=mine kvm" })).toEqual(["front-end /var/lib/one/remotes/vmm/kvm/mine one-7 node1 7 node1"]);
    expect(calls("SNAPSHOTDELETE", {}, { options: "-l snapshot_delete lxc" })).toEqual(["front-end /var/lib/one/remotes/vmm/lxc/snapshot_delete one-7  7 node1"]);
  });

  test("VNMAD_LOCAL_ACTIONS names a driver and an action exactly", () => {
    const template = NIC + NIC.replace("bridge", "elastic");
    expect(calls("RESTORE", { template }).filter((call) => call.includes("vnm"))).toEqual([
      "node1 /var/tmp/one/vnm/bridge/pre", "node1 /var/tmp/one/vnm/elastic/pre", "node1 /var/tmp/one/vnm/bridge/post one-7 node1", "front-end /var/lib/one/remotes/vnm/elastic/post one-7 node1",
    ]);
  });

  test("a transfer script may lack its suffix, a driver may be missing", () => {
    const detach = (command: string) => calls("DETACHDISK", { command, template: disk }).at(-1);
    expect(detach("DELETE.ssh ssh a 7\n")).toBe("front-end /var/lib/one/remotes/tm/ssh/delete a 7");
    expect(detach("DELETE absent a 7\n")).toBe("Transfer Driver 'absent' not available");
    expect(detach("DELETE ../.. a 7\n")).toBe("Transfer Driver '../..' not available");
    expect(detach("NONE ssh a\n")).toBe("Driver path '/var/lib/one/remotes/tm/ssh/none' does not exists");
    expect(detach("NONE.x ssh a\n")).toBe("Driver path '/var/lib/one/remotes/tm/ssh/none.x' nor '/var/lib/one/remotes/tm/ssh/none' exists");
    expect(detach("NONE\n")).toBe("Cannot run tm_detach: the transfer command is incomplete");
  });
});

test("a target's number counts to base 26", () => {
  expect(["vda", "vdb", "sdz", "vdaa", "xvdb", "hdc", ""].map(targetIndex)).toEqual([0, 1, 25, 26, 1, 2, -1]);
});

test("-w is for all steps, 0 is no limit, and without it every step has one", () => {
  const steps = Object.values(ACTIONS).flatMap(({ steps }) => steps);
  expect(steps.every((step) => stepLimitSeconds(step, step.name, 9) === 9 && stepLimitSeconds(step, step.name, 0) === undefined)).toBe(true);
  expect(steps.every((step) => (stepLimitSeconds(step, step.name, undefined) ?? 0) >= 900)).toBe(true);
});
