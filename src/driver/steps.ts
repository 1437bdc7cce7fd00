import type { Release } from "../codec/release.ts";

/** Texts that steps are filled with, by name; `facts.ts` says where each comes from. */
export type Value =
  | "deployId" | "host" | "destination" | "checkpoint" | "diskTarget" | "payload" | "deploymentFile" | "directory" | "deployInfo"
  | "attachTarget" | "attachIndex" | "resizeDisk" | "resizeSize"
  | "mac" | "bridge" | "model" | "networkDriver" | "nicTarget" | "contextTarget"
  | "snapshotId" | "hypervisorId" | "id" | "guestCommand" | "guestStdin" | "live"
  | "securityGroupId" | "virtualNetworkId";

/** What a script reads. `message` is the action document; `vmLines` is base64 in lines of 60 characters (driver-protocol.md 11.1). */
export type Stdin = "none" | "message" | "deployment" | "vm" | "vmFailed" | "vm64" | "vmLines" | "datastore" | "backup" | "network";

/** When a step belongs to the action at all. */
export type Condition = "hasCommand" | "hasDeployId" | "hasDestination" | "otherHost" | "isNic" | "isAlias";

/** Which transfer command of the message, and what is done to its first word (driver-protocol.md 12). */
export interface CommandSource {
  readonly from: "TM_COMMAND" | "TM_COMMAND_ROLLBACK";
  readonly prefix?: "PRE" | "POST" | "FAIL";
  /** `SNAP_CREATE.ssh` becomes `SNAP_CREATE_LIVE.ssh`. */
  readonly live?: true;
  /** BACKUP of a running VM: `_LIVE` is appended. */
  readonly liveWhenRunning?: true;
}

/** One step of an action (driver-protocol.md 14). */
export interface Step {
  readonly driver: "vmm" | "vnm" | "tm" | "ds";
  /** As it is logged; `{value}` is filled in. */
  readonly name: string;
  /** Script file when it is not the name in lower case. */
  readonly script?: string;
  readonly parameters: readonly Value[];
  readonly stdin?: Stdin;
  readonly command?: CommandSource;
  /** One step for each line of TM_COMMAND. */
  readonly each?: true;
  /** A command of its own instead of a script, without id and host behind it. */
  readonly program?: readonly string[];
  /** No id and host behind the parameters. */
  readonly bare?: true;
  readonly onDestination?: true;
  readonly noFail?: true;
  /** Only for network drivers whose own step succeeded before the failure (18.15). */
  readonly onlyDone?: true;
  /** Success without an answer on stdout is a failure, with this text. */
  readonly answer?: string;
  readonly when?: readonly Condition[];
  readonly since?: Release;
  readonly rollback?: readonly Step[];
}

type More = Omit<Step, "driver" | "name" | "parameters">;

/** A script of the hypervisor. */
export function vmm(name: string, parameters: readonly Value[], more: More = {}): Step {
  return { driver: "vmm", name, parameters, ...more };
}

/** A script of every network driver of the VM. */
export function vnm(name: string, parameters: readonly Value[], more: More = {}): Step {
  return { driver: "vnm", name, parameters, stdin: "network", ...more };
}

/** A script of the transfer driver, on the front-end. */
export function tm(name: string, command: CommandSource, more: More = {}): Step {
  return { driver: "tm", name, parameters: [], stdin: "none", command, ...more };
}

/** A script of the datastore driver, on the front-end. */
export function ds(name: string, stdin: Stdin, more: More = {}): Step {
  return { driver: "ds", name, parameters: [], stdin, command: { from: "TM_COMMAND" }, ...more };
}
