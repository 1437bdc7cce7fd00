import type { Deadline } from "../../src/core/deadline.ts";
import { OnevirtError } from "../../src/core/errors.ts";
import type { BlockJob, CpuComparison, DevicePort, GuestPort, JobPort, JobProgress, MigrationPort, MigrationParameters, NodePort, RemovalAnswer, SaveImagePort, SnapshotPort } from "../../src/core/ports.ts";
import type { FakeDomain, Kept } from "./domain.ts";

/** What a guest does when a device is taken from it. */
export type RemovalBehaviour = RemovalAnswer | "removed in silence";

/** The smaller ports of libvirt in memory: devices stand in the domain's document, snapshots and images are remembered. */
export class FakeParts {
  /** What the guest does with the next devices that are taken from it. */
  removal: RemovalBehaviour = "removed";
  /** Memory in KiB and processors that were set, by domain. */
  readonly memory = new Map<string, number>();
  readonly vcpus = new Map<string, number>();
  /** Sizes of disks that were set, by target. */
  readonly sizes = new Map<string, number>();
  /** Snapshots by name, oldest first; the last one that was taken or reverted to is current. */
  readonly known = new Map<string, string>();
  currentSnapshot: string | undefined;
  /** Documents of save images, by path. */
  readonly saved = new Map<string, string>();
  /** What the guest agent answers, by command; what is not here is not understood. */
  readonly agent = new Map<string, unknown>();
  /** Commands that the guest agent got. */
  readonly asked: string[] = [];
  frozen = false;
  /** Jobs that run. */
  progress: JobProgress | undefined;
  readonly blockJobs = new Map<string, BlockJob>();
  /** Migrations that were asked for. */
  readonly migrations: { readonly uuid: string; readonly other: string; readonly flags: number; readonly parameters: MigrationParameters }[] = [];
  /** What a migration does besides being remembered. */
  onMigrate: (uuid: string, other: string) => void = () => undefined;
  /** What libvirt can do for guests of one architecture; it throws for those that it cannot run. */
  domainCapabilitiesOf: (arch: string | undefined) => string = () => "<domainCapabilities/>";
  hostname = "hostb";
  baseline = "<cpu/>";
  capabilities = "<capabilities><host><cpu><arch>x86_64</arch></cpu></host></capabilities>";
  comparison: CpuComparison = "identical";
  openWatches = 0;
  readonly #heard = new Map<string, RemovalAnswer>();

  constructor(
    private readonly active: (uuid: string) => Kept,
    private readonly put: (domain: FakeDomain) => void,
    private readonly end: (uuid: string) => void,
    private readonly restart: (uuid: string) => void,
    private readonly redefined: { readonly uuid: string; readonly xml: string }[],
  ) {}

  readonly devices: DevicePort = {
    attach: async (uuid, xml) => {
      const domain = this.active(uuid);
      const key = keyOf(xml);
      if (key && devicesOf(domain.xml).some((each) => keyOf(each) === key)) throw new OnevirtError("LIBVIRT_FAILED", `Cannot attach a device to domain ${uuid}: ${key} already exists`);
      domain.xml = domain.xml.includes("</devices>") ? domain.xml.replace("</devices>", () => `${xml}</devices>`) : domain.xml.replace("</domain>", () => `<devices>${xml}</devices></domain>`);
    },
    detach: async (uuid, xml) => {
      const domain = this.active(uuid);
      const found = devicesOf(domain.xml).find((each) => keyOf(each) === keyOf(xml));
      if (!found) throw new OnevirtError("DEVICE_NOT_FOUND", `Cannot detach a device from domain ${uuid}: device not found`);
      if (this.removal.startsWith("removed")) domain.xml = domain.xml.replace(found, "");
      const alias = /<alias name=['"]([^'"]+)/.exec(found)?.[1] ?? "";
      if (this.removal === "removed" || this.removal === "refused") this.#heard.set(`${uuid} ${alias}`, this.removal);
    },
    update: async (uuid, xml) => {
      const domain = this.active(uuid);
      const found = devicesOf(domain.xml).find((each) => keyOf(each) === keyOf(xml));
      if (!found) throw new OnevirtError("DEVICE_NOT_FOUND", `Cannot change a device of domain ${uuid}: device not found`);
      domain.xml = domain.xml.replace(found, () => xml);
    },
    watchRemoval: async (uuid, alias) => {
      this.openWatches++;
      return { answer: async () => this.#heard.get(`${uuid} ${alias}`) ?? "silent", [Symbol.dispose]: () => void this.openWatches-- };
    },
    setMemory: async (uuid, kib) => void this.memory.set(this.active(uuid).uuid, kib),
    setVcpus: async (uuid, count) => void this.vcpus.set(this.active(uuid).uuid, count),
    resizeDisk: async (uuid, disk, bytes) => {
      this.active(uuid);
      this.sizes.set(disk, bytes);
    },
  };

  readonly snapshots: SnapshotPort = {
    create: async (uuid, xml) => {
      this.active(uuid);
      const name = /<name>([^<]+)<\/name>/.exec(xml)?.[1] ?? `1700000${String(this.known.size).padStart(3, "0")}`;
      if (this.known.has(name)) throw new OnevirtError("LIBVIRT_FAILED", `Cannot take a snapshot of domain ${uuid}: ${name} already exists`);
      this.known.set(name, `<domainsnapshot><name>${name}</name></domainsnapshot>`);
      this.currentSnapshot = name;
      return name;
    },
    redefine: async (uuid, xml, { current }) => {
      this.redefined.push({ uuid: this.active(uuid).uuid, xml });
      const name = /<name>([^<]+)<\/name>/.exec(xml)?.[1];
      if (name) this.known.set(name, xml);
      if (name && current) this.currentSnapshot = name;
    },
    names: async (uuid) => (this.active(uuid), [...this.known.keys()]),
    current: async (uuid) => (this.active(uuid), this.currentSnapshot),
    xml: async (_uuid, name) => this.#snapshot(name),
    revert: async (uuid, name) => {
      this.active(uuid);
      this.#snapshot(name);
      this.currentSnapshot = name;
      this.restart(uuid);
    },
    delete: async (_uuid, name) => {
      this.#snapshot(name);
      this.known.delete(name);
    },
  };

  readonly images: SaveImagePort = {
    save: async (uuid, path) => {
      this.saved.set(path, this.active(uuid).xml);
      this.end(uuid);
    },
    xml: async (path) => this.#image(path),
    restore: async (path, changed) => {
      const xml = changed ?? this.#image(path);
      this.put({ name: /<name>([^<]+)/.exec(xml)?.[1] ?? "", uuid: /<uuid>([^<]+)/.exec(xml)?.[1] ?? "", xml });
    },
  };

  readonly guest: GuestPort = {
    command: async (uuid, json) => {
      this.active(uuid);
      this.asked.push(json);
      const { execute } = JSON.parse(json) as { execute: string };
      if (!this.agent.has(execute) && this.agent.size > 0)
        throw new OnevirtError("LIBVIRT_FAILED", `Cannot ask the guest agent of domain ${uuid}: it does not know ${execute}`, { libvirt: { code: 1, domain: 10, text: `internal error: unable to execute QEMU agent command '${execute}': The command ${execute} has not been found` } });
      if (!this.agent.has(execute)) throw new OnevirtError("AGENT_UNRESPONSIVE", `Cannot ask the guest agent of domain ${uuid}: QEMU guest agent is not connected`);
      const answer = this.agent.get(execute);
      return JSON.stringify({ return: typeof answer === "function" ? (answer as (json: unknown) => unknown)(JSON.parse(json)) : answer });
    },
    freeze: async (uuid) => (this.active(uuid), (this.frozen = true), 1),
    thaw: async (uuid) => (this.active(uuid), (this.frozen = false), 1),
    syncTime: async (uuid) => void this.active(uuid),
  };

  readonly jobs: JobPort = {
    progress: async (uuid) => (this.active(uuid), this.progress),
    abort: async (uuid) => {
      this.active(uuid);
      this.progress = undefined;
    },
    copyDisk: async (uuid, disk) => {
      this.active(uuid);
      this.blockJobs.set(disk, { type: 2, current: 1n, end: 1n });
    },
    disk: async (uuid, disk) => (this.active(uuid), this.blockJobs.get(disk)),
    endDisk: async (uuid, disk) => {
      this.active(uuid);
      this.blockJobs.delete(disk);
    },
    setMaxSpeed: async (uuid) => void this.active(uuid),
    setMaxDowntime: async (uuid) => void this.active(uuid),
    startPostCopy: async (uuid) => void this.active(uuid),
  };

  readonly migration: MigrationPort = {
    prepare: async () => undefined,
    migrateFrom: async (source, uuid, flags, parameters) => this.#migrate(uuid, source, flags, parameters),
    migrateToUri: async (uuid, destination, flags, parameters) => (this.active(uuid), this.#migrate(uuid, destination, flags, parameters)),
  };

  readonly node: NodePort = {
    capabilities: async () => this.capabilities,
    hostname: async () => this.hostname,
    domainCapabilities: async (arch) => this.domainCapabilitiesOf(arch),
    baselineCpu: async () => this.baseline,
    compareCpu: async () => this.comparison,
    cpuMhz: async (_deadline: Deadline) => 2400,
  };

  #migrate(uuid: string, other: string, flags: number, parameters: MigrationParameters): void {
    this.migrations.push({ uuid, other, flags, parameters });
    this.onMigrate(uuid, other);
  }

  #snapshot(name: string): string {
    const xml = this.known.get(name);
    if (xml === undefined) throw new OnevirtError("SNAPSHOT_NOT_FOUND", `Cannot find snapshot "${name}"`);
    return xml;
  }

  #image(path: string): string {
    const xml = this.saved.get(path);
    if (xml === undefined) throw new OnevirtError("LIBVIRT_FAILED", `Cannot read the document in ${path}: image magic is incorrect`);
    return xml;
  }
}

/** Disks, interfaces, host and memory devices of a document. */
function devicesOf(xml: string): readonly string[] {
  return [...xml.matchAll(/<(disk|interface|hostdev|memory)\b[\s\S]*?<\/\1>/g)].map(([device]) => device);
}

/** What a device is known by: its target, its MAC, its alias, or its whole text. */
function keyOf(xml: string): string {
  return (/<target dev=['"]([^'"]+)/.exec(xml) ?? /<mac address=['"]([^'"]+)/.exec(xml) ?? /<alias name=['"]([^'"]+)/.exec(xml))?.[1] ?? xml;
}
