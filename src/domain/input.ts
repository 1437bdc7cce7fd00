import { type Attributes, lastOfEachName } from "../codec/attributes.ts";
import { parseTemplate } from "../codec/template.ts";
import { parseAttributes, parseVmDocument, type VmDocument } from "../codec/vm-document.ts";
import { type Architecture, embeddedDefaults } from "./defaults.ts";
import { Level, Lookup } from "./levels.ts";
import { derived, type Value } from "./source.ts";

export type Emulator = "kvm" | "qemu";
export type ContextDiskType = "FILE" | "BLOCK";

/** A text and the name under which errors and explanations mention it. */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** What a domain is generated from, as texts: the VM document and what only the host or its administrator knows. */
export interface DomainTexts {
  readonly vm: NamedText;
  /** Attributes of the host and of its cluster: template syntax or XML document. */
  readonly host?: NamedText | undefined;
  readonly cluster?: NamedText | undefined;
  /** The administrator's driver defaults; they replace the embedded ones. */
  readonly defaults?: NamedText | undefined;
  /** Which embedded defaults apply when there are no others. */
  readonly architecture: Architecture;
  /** Default: qemu when the VM's driver is named so, else kvm. */
  readonly emulator?: Emulator | undefined;
  /** Default `/var/lib/one/datastores`; not normalised. */
  readonly datastoreLocation?: string | undefined;
  /** The VM's directory when it is known (deploy: directory of the remote file); else it is worked out. */
  readonly systemDirectory?: string | undefined;
  /** CONTEXT_DISK_TYPE of the system datastore. */
  readonly contextDiskType?: ContextDiskType | undefined;
  /** Version of the host's cgroups; wins over CGROUPS_VERSION of host, cluster and defaults. */
  readonly cgroups?: 1 | 2 | undefined;
  /** oned's version, for the metadata. */
  readonly oneVersion?: string | undefined;
  /** Seconds since 1970, for the metadata. Default: start of the VM's last history record. */
  readonly deploymentTime?: number | undefined;
  /** At least 59 random hexadecimal digits, for RANDOM_PASSWD of host, cluster or defaults. */
  readonly randomHex: () => string;
}

/** What a domain is generated from, parsed. */
export interface DomainInput {
  readonly vm: VmDocument;
  readonly levels: { readonly vm: Level; readonly host: Level; readonly cluster: Level; readonly defaults: Level };
  readonly emulator: Value;
  /** Undefined for a VM that was never placed. */
  readonly systemDirectory: Value | undefined;
  readonly contextDiskType: Value;
  readonly cgroups: Value | undefined;
  readonly oneVersion: Value;
  readonly deploymentTime: Value;
  readonly randomHex: () => string;
}

/** Parses the texts a domain is generated from. BAD_INPUT names the text and the place. */
export async function domainInput(texts: DomainTexts): Promise<DomainInput> {
  const vm = await parseVmDocument(texts.vm.text, texts.vm.name);
  const defaults = texts.defaults ?? embeddedDefaults(texts.architecture);
  return {
    vm,
    levels: {
      vm: new Level("vm", vm.template, { root: "/VM/TEMPLATE/" }),
      host: await level("host", texts.host),
      cluster: await level("cluster", texts.cluster),
      defaults: new Level("defaults", parseDefaults(defaults), { root: "", file: defaults.name }),
    },
    emulator: emulator(vm, texts.emulator),
    systemDirectory: systemDirectory(vm, texts),
    contextDiskType: option("context disk type", texts.contextDiskType ?? ""),
    cgroups: texts.cgroups && option("cgroups", String(texts.cgroups)),
    oneVersion: option("OpenNebula version", texts.oneVersion ?? ""),
    deploymentTime: texts.deploymentTime === undefined ? ofHistory(vm, "STIME", vm.history?.startTime) : option("time", String(texts.deploymentTime)),
    randomHex: texts.randomHex,
  };
}

/** Lookups through all four levels, and through the three that a VM cannot set. */
export function lookups({ levels: { vm, host, cluster, defaults } }: DomainInput): { readonly all: Lookup; readonly inherited: Lookup; readonly clusterAndDefaults: Lookup; readonly defaultsOnly: Lookup } {
  return {
    all: new Lookup([vm, host, cluster, defaults]),
    inherited: new Lookup([host, cluster, defaults]),
    clusterAndDefaults: new Lookup([cluster, defaults]),
    defaultsOnly: new Lookup([defaults]),
  };
}

/** A value of the VM document outside its TEMPLATE. */
export function ofDocument(name: string, value: string): Value {
  return { text: value, sources: [{ kind: "vm", name: `/VM/${name}`, value }] };
}

/** A defaults file is read in replace mode, and keeps white space around its values. */
function parseDefaults({ text, name }: NamedText): Attributes {
  return lastOfEachName(parseTemplate(text, name));
}

async function level(kind: "host" | "cluster", source: NamedText | undefined): Promise<Level> {
  if (!source) return new Level(kind, [], { root: "" });
  const isXml = source.text.trimStart().startsWith("<");
  return new Level(kind, await parseAttributes(source.text, source.name), { root: isXml ? `/${kind.toUpperCase()}/TEMPLATE/` : "", file: source.name });
}

function emulator(vm: VmDocument, chosen: Emulator | undefined): Value {
  if (chosen) return option("type", chosen);
  return { ...ofHistory(vm, "VM_MAD", vm.history?.vmMad), text: vm.history?.vmMad === "qemu" ? "qemu" : "kvm" };
}

function systemDirectory(vm: VmDocument, { systemDirectory: known, datastoreLocation = "/var/lib/one/datastores" }: DomainTexts): Value | undefined {
  if (known !== undefined) return option("system directory", known);
  if (!vm.history?.datastoreId) return undefined;
  const datastore = ofHistory(vm, "DS_ID", vm.history.datastoreId);
  const text = `${datastoreLocation}/${vm.history.datastoreId}/${vm.id}`;
  return derived(text, option("datastore location", datastoreLocation), datastore, ofDocument("ID", vm.id));
}

function ofHistory(vm: VmDocument, name: string, value: string | undefined): Value {
  return value === undefined ? ofDocument("STIME", vm.startTime) : ofDocument(`HISTORY_RECORDS/HISTORY[last()]/${name}`, value);
}

function option(name: string, value: string): Value {
  return { text: value, sources: [{ kind: "option", name, value }] };
}
