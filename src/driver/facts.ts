import type { DriverMessage, Marked } from "../codec/driver-message.ts";
import { networkDocument, networkDrivers } from "../codec/network-document.ts";
import { NEWEST, OLDEST } from "../codec/release.ts";
import type { Release } from "../codec/release.ts";
import { listed } from "./action-list.ts";
import type { DriverSettings } from "./settings.ts";
import type { Condition, Stdin, Value } from "./steps.ts";

/** LCM_STATE of a VM that runs while it is backed up. */
const BACKUP_OF_RUNNING = "69";

/** One request: who asked for what. */
export interface Request {
  readonly action: string;
  readonly id: string;
  readonly payload: string;
  /** oned 5.x asked (driver-protocol.md 3.1). */
  readonly oldForm: boolean;
}

/** Everything that the steps of one action are filled with (driver-protocol.md 5, 15). */
export class Facts {
  /** What earlier steps answered, by step name. */
  readonly answers = new Map<string, string>();
  /** Which oned asks: the tree's VERSION, else the form of the request (driver-protocol.md 16). */
  readonly release: Release;
  readonly isLocalDeploy: boolean;
  readonly #texts: Readonly<Record<Value, () => string>>;

  constructor(
    readonly request: Request,
    readonly message: DriverMessage,
    readonly settings: DriverSettings,
    readonly deployment: Uint8Array | undefined,
  ) {
    this.release = settings.release ?? (request.oldForm ? OLDEST : NEWEST);
    this.isLocalDeploy = listed(settings.options.local, "deploy");
    this.#texts = textsOf(this);
  }

  get host(): string {
    return this.message.text("HOST");
  }

  get destination(): string {
    return this.message.text("MIGR_HOST");
  }

  text(value: Value): string {
    return this.#texts[value]();
  }

  /** A template with `{value}` filled in. */
  fill(template: string): string {
    return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in this.#texts ? this.text(name as Value) : whole));
  }

  holds(condition: Condition): boolean {
    switch (condition) {
      case "hasCommand": return this.message.text("TM_COMMAND").trim() !== "";
      case "hasDeployId": return this.text("deployId") !== "";
      case "hasDestination": return this.destination !== "";
      case "otherHost": return this.destination !== this.host;
      case "isNic": return this.nic?.isAlias === false;
      case "isAlias": return this.nic?.isAlias !== false;
    }
  }

  /** The NIC that is attached or detached: a NIC, else a PCI device, else an alias, also when nothing is marked (15, ATTACHNIC). */
  get nic(): { readonly device: Marked | undefined; readonly isAlias: boolean } {
    const device = this.message.marked("VM/TEMPLATE/NIC", "ATTACH") ?? this.message.marked("VM/TEMPLATE/PCI", "ATTACH");
    if (device) return { device, isAlias: false };
    return { device: this.message.marked("VM/TEMPLATE/NIC_ALIAS", "ATTACH"), isAlias: true };
  }

  networkDrivers(): readonly string[] {
    return networkDrivers(this.message.vm);
  }

  networkDocument64(): string {
    return base64(networkDocument(this.message.vm, this.release));
  }

  /** The text or bytes of a step's stdin. */
  stdin(kind: Stdin): string | Uint8Array {
    switch (kind) {
      case "none": return "";
      case "message": return this.message.xml;
      case "deployment": return this.deployment ?? "";
      case "vm": return this.message.source("VM");
      case "vmFailed": return this.release > 704 ? withFailure(this.message.source("VM")) : this.message.source("VM");
      case "vm64": return base64(this.message.source("VM"));
      case "vmLines": return inLines(base64(this.message.source("VM")));
      case "datastore": return this.message.sourceOrEmpty("DATASTORE");
      case "backup": return `<DS_DRIVER_ACTION_DATA>\n  ${this.message.source("DATASTORE")}\n  ${this.message.source("VM")}\n</DS_DRIVER_ACTION_DATA>\n`;
      case "network": return this.networkDocument64();
    }
  }
}

function textsOf(facts: Facts): Readonly<Record<Value, () => string>> {
  const { message, request } = facts;
  const disk = () => message.marked("VM/TEMPLATE/DISK", "ATTACH");
  const resized = () => message.marked("VM/TEMPLATE/DISK", "RESIZE");
  const snapshot = () => message.marked("VM/TEMPLATE/SNAPSHOT", "ACTIVE");
  const nic = (name: string) => () => facts.nic.device?.text(name) ?? "";
  const field = (path: string) => () => message.text(path);
  return {
    id: () => request.id,
    payload: () => request.payload,
    host: () => facts.host,
    destination: () => facts.destination,
    deployId: field("DEPLOY_ID"),
    deployInfo: () => facts.answers.get("deploy") ?? "",
    checkpoint: field("CHECKPOINT_FILE"),
    diskTarget: field("DISK_TARGET_PATH"),
    deploymentFile: field(facts.isLocalDeploy ? "LOCAL_DEPLOYMENT_FILE" : "REMOTE_DEPLOYMENT_FILE"),
    directory: () => facts.text("deploymentFile").replace(/\/+[^/]*$/, ""),
    attachTarget: () => disk()?.text("TARGET") ?? "",
    attachIndex: () => String(targetIndex(facts.text("attachTarget"))),
    resizeDisk: () => resized()?.text("DISK_ID") ?? "",
    resizeSize: () => resized()?.text("SIZE") ?? "",
    mac: nic("MAC"),
    bridge: nic("BRIDGE"),
    model: () => facts.nic.device?.text("MODEL") || "-",
    networkDriver: nic("VN_MAD"),
    nicTarget: nic("TARGET"),
    contextTarget: field("VM/TEMPLATE/CONTEXT/TARGET"),
    snapshotId: () => snapshot()?.text("SNAPSHOT_ID") ?? "",
    hypervisorId: () => snapshot()?.text("HYPERVISOR_ID") ?? "",
    guestCommand: field("VM/TEMPLATE/QEMU_GA_EXEC/COMMAND"),
    guestStdin: field("VM/TEMPLATE/QEMU_GA_EXEC/STDIN"),
    live: () => (message.text("VM/LCM_STATE") === BACKUP_OF_RUNNING ? "_live" : ""),
    securityGroupId: field("SECURITY_GROUP_ID"),
    virtualNetworkId: field("VIRTUAL_NETWORK_ID"),
  };
}

/** Number of a disk target: `vdb` is 1, `vdaa` is 26. The letters behind the two of the bus are digits to base 26. */
export function targetIndex(target: string): number {
  const letters = /^[a-z]?[vhsx]d([a-z]+)$/.exec(target.toLowerCase())?.[1] ?? target.toLowerCase().slice(-1);
  return [...letters].reduce((sum, letter) => sum * 26 + (letter.charCodeAt(0) - 96), 0) - 1;
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** As Ruby's `encode64` writes it: lines of 60 characters, each ended. */
function inLines(text: string): string {
  return text.replace(/.{1,60}/g, "$&\n");
}

function withFailure(vm: string): string {
  return vm.replace(/<\/VM>$/, "<BACKUP_RESULT>FAILURE</BACKUP_RESULT></VM>");
}
