import { OnevirtError } from "../core/errors.ts";
import { architectureOf } from "../domain/defaults.ts";
import type { DomainTexts, NamedText } from "../domain/input.ts";
import { oneOf, type OptionTable, type ParsedWords, readText } from "./options.ts";

/** Options of every command that generates a domain. */
export const GENERATOR_OPTIONS = {
  vm: { type: "string", valueHint: "FILE|-", description: "VM document, as onevm show -x prints it" },
  host: { type: "string", valueHint: "FILE", description: "Attributes of the host: template syntax, or the document of onehost show -x" },
  cluster: { type: "string", valueHint: "FILE", description: "Attributes of the cluster, likewise" },
  defaults: { type: "string", valueHint: "FILE", description: "Driver defaults (vmm_exec_kvm.conf); embedded ones without it" },
  type: { type: "string", valueHint: "kvm|qemu", description: "Kind of domain; default: the VM's driver, kvm" },
  "datastore-location": { type: "string", valueHint: "DIR", description: "DATASTORE_LOCATION of oned.conf; default /var/lib/one/datastores" },
  "context-disk-type": { type: "string", valueHint: "FILE|BLOCK", description: "CONTEXT_DISK_TYPE of the system datastore" },
  cgroups: { type: "string", valueHint: "1|2", description: "Version of the host's cgroups; default: CGROUPS_VERSION of host, cluster or defaults" },
  "one-version": { type: "string", valueHint: "V", description: "OpenNebula's version, for the metadata" },
  time: { type: "string", valueHint: "SECONDS", description: "Deployment time, for the metadata; default: the VM's own" },
} as const satisfies OptionTable;

/** Reads the files that the options name. */
export async function readGeneratorTexts({ values }: ParsedWords): Promise<DomainTexts> {
  const vm = values["vm"];
  if (vm === undefined) throw new OnevirtError("BAD_ARGUMENT", "Cannot generate a domain: --vm FILE is missing");
  const cgroups = oneOf("cgroups", values["cgroups"], ["1", "2"]);
  return {
    vm: await named(vm),
    host: await findNamed(values["host"]),
    cluster: await findNamed(values["cluster"]),
    defaults: await findNamed(values["defaults"]),
    architecture: architectureOf(process.arch),
    emulator: oneOf("type", values["type"], ["kvm", "qemu"]),
    datastoreLocation: values["datastore-location"],
    contextDiskType: oneOf("context-disk-type", values["context-disk-type"], ["FILE", "BLOCK"]),
    cgroups: cgroups && (cgroups === "1" ? 1 : 2),
    oneVersion: values["one-version"],
    deploymentTime: seconds(values["time"]),
    randomHex,
  };
}

/** Says on stderr what the log of a deployment would say. */
export function printWarnings(warnings: readonly string[]): void {
  for (const text of warnings) console.error(`Warning: ${text}`);
}

/** 64 random hexadecimal digits. */
export function randomHex(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}

async function named(path: string): Promise<NamedText> {
  return { name: path === "-" ? "standard input" : path, text: await readText(path) };
}

async function findNamed(path: string | undefined): Promise<NamedText | undefined> {
  return path === undefined ? undefined : named(path);
}

function seconds(value: string | undefined): number | undefined {
  if (value !== undefined && !/^\d{1,15}$/.test(value)) throw new OnevirtError("BAD_ARGUMENT", `Cannot use --time "${value}": expected seconds since 1970`);
  return value === undefined ? undefined : Number(value);
}
