import type { Release } from "../codec/release.ts";
import { ds, tm, vmm, vnm } from "./steps.ts";
import type { CommandSource, Step, Value } from "./steps.ts";

/** Why an action is refused before its first step; the text is upstream's where there is one. */
export type Need =
  | "command" | "attachTarget" | "resize" | "liveSnapshot" | "backupDriver" | "deploymentFile" | "mac" | "nicFields" | "guestCommand" | "destination";

/** Everything the driver does for one word of oned (driver-protocol.md 15). */
export interface ActionRow {
  readonly needs?: readonly Need[];
  readonly steps: readonly Step[];
  /** The step whose answer is the answer of the action; without one it is empty. */
  readonly answer?: string;
  /** One script through an ssh of its own, without lines about steps; a number: only up to releases before it. */
  readonly direct?: true | Release;
  /** First word of the answer, also of a failure. */
  readonly prefix?: Value;
}

const COMMAND: CommandSource = { from: "TM_COMMAND" };
const PRE: CommandSource = { from: "TM_COMMAND", prefix: "PRE" };
const POST: CommandSource = { from: "TM_COMMAND", prefix: "POST" };
const FAIL: CommandSource = { from: "TM_COMMAND", prefix: "FAIL" };

const context = tm("tm_context", COMMAND, { when: ["hasCommand"] });
const clean = vnm("clean", ["host"]);
const post = vnm("post", ["deployId", "host"]);
const cancel = vmm("cancel", ["deployId", "host"]);
/** Added to upstream's lists where row 18.15 of the contract finds them missing; never decide anything. */
const addedClean = vnm("clean", ["host"], { noFail: true });
const addedDetach = vmm("detach_nic", ["deployId", "mac"], { noFail: true, when: ["isNic"] });

const failMigrate = tm("tm_failmigrate", FAIL, { stdin: "vm64" });
const cleanDestination = vnm("clean", ["host"], { onDestination: true, noFail: true, when: ["otherHost"] });
const detachNic = vmm("detach_nic", ["deployId", "mac"]);

/** How the guest learns of its new NICs and addresses. `undo` are the roll-backs of the first and of the last step. */
function reconfigure(undo: { readonly first?: readonly Step[]; readonly last?: readonly Step[]; readonly since?: Release } = {}): readonly Step[] {
  const since = undo.since === undefined ? {} : { since: undo.since };
  return [
    vmm("prereconfigure", ["deployId", "contextTarget"], { rollback: undo.first ?? [], ...since }),
    { ...context, ...since },
    vmm("reconfigure", ["deployId", "contextTarget", "diskTarget"], { rollback: undo.last ?? [], ...since }),
  ];
}

const BACKUP_PRE: CommandSource = { ...PRE, liveWhenRunning: true };
const BACKUP_POST: CommandSource = { ...POST, liveWhenRunning: true };
const backupFailed = tm("postbackup{live}", BACKUP_POST, { stdin: "vmFailed" });

/** A file beside the VM's disks, written by `cat` because any host has it; the path is an argument, not part of the shell line. */
function fileStep(file: string, stdin: "vm" | "datastore"): Step {
  return vmm(`/bin/cat - >{directory}/${file}`, [], { program: ["/bin/sh", "-c", '/bin/cat - >"$1"', "sh", `{directory}/${file}`], stdin, since: 600 });
}

/** Every action, by the word that oned sends. */
export const ACTIONS: Readonly<Record<string, ActionRow>> = {
  DEPLOY: {
    needs: ["deploymentFile"],
    answer: "deploy",
    steps: [
      context,
      vnm("pre", [], { rollback: [{ ...addedClean, onlyDone: true }] }),
      vmm("/bin/mkdir -p", [], { program: ["/bin/mkdir", "-p", "{directory}"], stdin: "none", since: 600 }),
      fileStep("vm.xml", "vm"),
      fileStep("ds.xml", "datastore"),
      vmm("deploy", ["deploymentFile", "host"], { stdin: "deployment", answer: "deploy printed no deploy id", rollback: [{ ...clean, since: 600 }] }),
      vnm("post", ["deployInfo", "host"], { rollback: [vmm("cancel", ["deployInfo", "host"]), { ...clean, since: 600 }] }),
    ],
  },
  SHUTDOWN: { answer: "shutdown", steps: [vmm("shutdown", ["deployId", "host"]), clean] },
  CANCEL: { answer: "cancel", steps: [cancel, clean] },
  SAVE: { answer: "save", steps: [vmm("save", ["deployId", "checkpoint", "host"]), clean] },
  RESTORE: {
    answer: "restore",
    steps: [context, vnm("pre", []), vmm("restore", ["checkpoint", "host", "deployId"]), { ...post, rollback: [cancel] }],
  },
  MIGRATE: {
    needs: ["command", "destination"],
    answer: "migrate",
    steps: [
      tm("tm_premigrate", PRE, { stdin: "vm64", rollback: [{ ...failMigrate, since: 704 }] }),
      vnm("pre", [], { onDestination: true, when: ["otherHost"], rollback: [cleanDestination, { ...failMigrate, noFail: true }] }),
      vmm("migrate", ["deployId", "destination", "host"], { rollback: [cleanDestination, failMigrate] }),
      { ...clean, noFail: true, when: ["otherHost"] },
      { ...post, onDestination: true, noFail: true, when: ["otherHost"] },
      tm("tm_postmigrate", POST, { stdin: "vm64", noFail: true }),
    ],
  },
  POLL: { direct: true, steps: [vmm("poll", ["deployId", "host"])] },
  REBOOT: { answer: "reboot", direct: 512, steps: [vmm("reboot", ["deployId", "host"])] },
  RESET: { answer: "reset", direct: 512, steps: [vmm("reset", ["deployId", "host"])] },
  ATTACHDISK: {
    needs: ["command", "attachTarget"],
    answer: "attach_disk",
    steps: [
      tm("tm_attach", COMMAND),
      vmm("attach_disk", ["deployId", "diskTarget", "attachTarget", "attachIndex", "payload"], { rollback: [tm("tm_detach", { from: "TM_COMMAND_ROLLBACK" })] }),
    ],
  },
  DETACHDISK: {
    needs: ["command", "attachTarget"],
    answer: "detach_disk",
    steps: [vmm("detach_disk", ["deployId", "diskTarget", "attachTarget", "attachIndex"]), tm("tm_detach", COMMAND)],
  },
  SNAPSHOTCREATE: { direct: true, steps: [vmm("snapshot_create", ["deployId", "snapshotId"])] },
  SNAPSHOTREVERT: {
    direct: 608,
    steps: [vmm("SNAPSHOTREVERT", ["deployId", "hypervisorId"], { script: "snapshot_revert" }), post],
  },
  SNAPSHOTDELETE: { direct: true, steps: [vmm("snapshot_delete", ["deployId", "hypervisorId"])] },
  DISKSNAPSHOTCREATE: { needs: ["command", "liveSnapshot"], steps: [tm("tm_snap_create_live", { ...COMMAND, live: true })] },
  RESIZEDISK: {
    needs: ["command", "resize"],
    answer: "resize_disk",
    steps: [tm("tm_resize", COMMAND), vmm("resize_disk", ["deployId", "resizeDisk", "resizeSize", "payload", "host"])],
  },
  RESIZE: { direct: true, steps: [vmm("resize", ["deployId"])] },
  CLEANUP: {
    steps: [
      { ...cancel, noFail: true, when: ["hasDeployId"] },
      { ...clean, noFail: true },
      vmm("cancel", ["deployId", "destination"], { onDestination: true, noFail: true, when: ["hasDestination"] }),
      { ...clean, onDestination: true, noFail: true, when: ["hasDestination"] },
      tm("tm_delete", COMMAND, { each: true, noFail: true }),
    ],
  },
  ATTACHNIC: {
    needs: ["nicFields"],
    answer: "attach_nic",
    steps: [
      vnm("pre", []),
      vmm("attach_nic", ["deployId", "mac", "bridge", "model", "networkDriver", "nicTarget"], { when: ["isNic"], rollback: [addedClean] }),
      { ...post, when: ["isNic"], rollback: [detachNic] },
      { ...post, when: ["isAlias"] },
      ...reconfigure({ first: [detachNic], last: [addedDetach, addedClean] }),
    ],
  },
  DETACHNIC: {
    needs: ["mac"],
    answer: "detach_nic",
    steps: [vmm("detach_nic", ["deployId", "mac"], { when: ["isNic"] }), clean, ...reconfigure({ since: 508 })],
  },
  UPDATECONF: { steps: reconfigure() },
  UPDATESG: { answer: "update_sg", prefix: "securityGroupId", steps: [vnm("update_sg", ["deployId"])] },
  UPDATENIC: { answer: "update_nic", prefix: "virtualNetworkId", steps: [vnm("update_nic", ["deployId", "virtualNetworkId"], { stdin: "vmLines" })] },
  BACKUP: {
    needs: ["command", "backupDriver"],
    answer: "backup",
    steps: [
      tm("prebackup{live}", BACKUP_PRE, { stdin: "vm", rollback: [backupFailed] }),
      ds("backup", "backup", { rollback: [backupFailed] }),
      tm("postbackup{live}", BACKUP_POST, { stdin: "vm" }),
    ],
  },
  BACKUPCANCEL: { needs: ["command", "backupDriver"], answer: "backup_cancel", steps: [ds("backup_cancel", "vm")] },
  EXEC: { needs: ["guestCommand"], direct: true, steps: [vmm("exec", ["id", "host", "guestCommand", "guestStdin"], { bare: true })] },
  EXEC_CANCEL: { direct: true, steps: [vmm("exec_cancel", ["id", "host"], { bare: true })] },
};

/** The row of an action word in upper case. Own keys only: "constructor" is no action. */
export function findAction(word: string): ActionRow | undefined {
  return Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
}
