import { readdirSync } from "node:fs";
import { type Emulator, type DomainTexts } from "../../src/domain/input.ts";

/** A recorded case: what OpenNebula was given, and what it answered. */
export interface RecordedCase {
  readonly name: string;
  readonly vm: string | undefined;
  readonly expected: string | undefined;
  readonly about: CaseFile;
  readonly defaults: string;
}

interface CaseFile {
  readonly host: string;
  readonly datastore: string;
  readonly hostTemplate: string;
  readonly clusterTemplate: string;
  readonly template: string;
  readonly expectError?: string;
  readonly libvirt?: string;
  readonly diverge?: string;
}

/** Where the recorded documents lie; they are not part of the project. */
export const RECORDED = `${process.env["ONEVIRT_GOLDEN"] ?? new URL("../../../shared/golden", import.meta.url).pathname}/domain-xml`;

/** All recorded cases, by name. Empty in a clone without them. */
export async function recordedCases(): Promise<readonly RecordedCase[]> {
  const names = await Bun.file(`${RECORDED}/README.md`).exists().then(() => list(RECORDED));
  return Promise.all(names.map(load));
}

/** The generator's input for a case, as the page that describes the cases says. */
export function textsOf({ name, vm, about, defaults }: RecordedCase): DomainTexts {
  const emulator: Emulator = about.host === "h-qemu" ? "qemu" : "kvm";
  return {
    vm: { name, text: vm ?? "" },
    host: { name: "host", text: about.hostTemplate },
    cluster: { name: "cluster", text: about.clusterTemplate },
    defaults: { name: "defaults.conf", text: defaults },
    architecture: "x86_64",
    emulator,
    datastoreLocation: "/var/lib/one//datastores",
    contextDiskType: about.datastore === "sys-block" ? "BLOCK" : "FILE",
    oneVersion: "7.5.80",
    randomHex: () => "0123456789abcdef".repeat(4),
  };
}

/** Leaves out what no two runs have in common. */
export function normalised(xml: string, about: CaseFile): string {
  const plain = xml
    .replace(/<one:(stime|deployment_time|opennebula_version)>[^<]*/g, "<one:$1>")
    .replace(about.template.includes("UUID=") ? /(?!)/ : /<uuid>[^<]*/, "<uuid>");
  return plain;
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !entry.name.startsWith("_")).map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

async function load(name: string): Promise<RecordedCase> {
  const about = (await Bun.file(`${RECORDED}/${name}/case.json`).json()) as CaseFile;
  const fixture = about.host === "h-arm" ? "arm64" : "x86_64";
  const [vm, expected, defaults] = await Promise.all([find(`${RECORDED}/${name}/vm.xml`), find(`${RECORDED}/${name}/deployment.xml`), Bun.file(`${RECORDED}/_fixtures/defaults-${fixture}.conf`).text()]);
  return { name, vm, expected, about, defaults };
}

async function find(path: string): Promise<string | undefined> {
  const file = Bun.file(path);
  return (await file.exists()) ? file.text() : undefined;
}
