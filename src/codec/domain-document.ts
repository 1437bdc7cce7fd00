import { OnevirtError } from "../core/errors.ts";
import { childrenOf, findAll, findFirst, parseXml, textOf, type XmlElement } from "./xml.ts";

/** What actions need to know of a libvirt domain document. */
export interface DomainDocument {
  readonly name: string;
  /** Lower case; undefined when the document leaves it to libvirt. */
  readonly uuid: string | undefined;
  /** Where the UEFI variables are kept, and in which format. */
  readonly nvram: { readonly path: string; readonly format: string } | undefined;
  /** Sources of disks that are files: candidates for link resolution. */
  readonly diskFiles: readonly string[];
  /** A TPM that libvirt emulates with swtpm, and whether libvirt keeps its state when the domain ends. */
  readonly tpm: { readonly persistent: boolean } | undefined;
  readonly hostDevices: boolean;
  readonly acpi: boolean;
  /** OpenNebula's metadata: the directory of the VM. */
  readonly systemDatastore: string | undefined;
  readonly graphics: readonly { readonly type: string; readonly port: string }[];
  readonly vcpu: string;
  readonly memoryKiB: string;
  readonly arch: string;
  readonly features: readonly string[];
  readonly interfaceTargets: readonly string[];
  readonly diskTargets: readonly string[];
}

/** Characters that a name of ours never has, and that a shell, a path or a log line could misread. */
const UNSAFE_NAME = /[\p{Cc}\s/\\'"`$&|;<>(){}[\]*?!#~^%=,]/u;

/** Reads a domain document. BAD_INPUT when it is not XML, not a domain, or has no usable name. */
export function readDomainDocument(xml: string, what: string): DomainDocument {
  const root = parseXml(xml, what);
  if (root.name !== "domain") throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: expected a <domain>, found <${root.name}>`);
  const name = textOf(findFirst(root, "name")) ?? "";
  if (name === "") throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: the domain has no name`);
  return { ...readIdentity(root, name), ...readDevices(root) };
}

/** Refuses a name that is not plain: BAD_INPUT. OpenNebula names its domains one-N. */
export function requireSafeName(name: string, what: string): void {
  const unsafe = UNSAFE_NAME.exec(name)?.[0];
  if (unsafe !== undefined) throw new OnevirtError("BAD_INPUT", `Cannot use ${what}: the domain name ${JSON.stringify(name.slice(0, 80))} holds ${JSON.stringify(unsafe)}`);
  if (name.length > 200) throw new OnevirtError("BAD_INPUT", `Cannot use ${what}: the domain name has ${name.length} characters`);
}

function readIdentity(root: XmlElement, name: string) {
  const metadata = childrenOf(findFirst(root, "metadata"), "one:vm")[0];
  const features = findFirst(root, "features")?.children ?? [];
  const names = features.flatMap((each) => (typeof each === "object" ? [each.name] : []));
  return {
    name,
    uuid: textOf(findFirst(root, "uuid"))?.trim().toLowerCase() || undefined,
    acpi: names.includes("acpi"),
    features: names,
    systemDatastore: textOf(childrenOf(metadata, "one:system_datastore")[0])?.trim() || undefined,
    vcpu: textOf(findFirst(root, "vcpu"))?.trim() ?? "1",
    memoryKiB: textOf(findFirst(root, "memory"))?.trim() ?? "0",
    arch: findFirst(root, "os", "type")?.attributes.arch ?? "",
  };
}

function readDevices(root: XmlElement) {
  const devices = findFirst(root, "devices");
  const nvram = findFirst(root, "os", "nvram");
  const path = textOf(nvram)?.trim();
  const backend = findAll(devices, "tpm", "backend").find(({ attributes }) => attributes.type === "emulator");
  return {
    nvram: path ? { path, format: nvram?.attributes.format ?? "raw" } : undefined,
    diskFiles: childrenOf(devices, "disk").filter(isFileDisk).flatMap((disk) => findFirst(disk, "source")?.attributes.file ?? []),
    tpm: backend && { persistent: backend.attributes.persistent_state === "yes" },
    hostDevices: childrenOf(devices, "hostdev").length > 0,
    graphics: childrenOf(devices, "graphics").map(({ attributes }) => ({ type: attributes.type ?? "", port: attributes.port ?? "" })),
    interfaceTargets: findAll(devices, "interface", "target").flatMap(({ attributes }) => attributes.dev ?? []),
    diskTargets: findAll(devices, "disk", "target").flatMap(({ attributes }) => attributes.dev ?? []),
  };
}

/** `type` defaults to file and `device` to disk (libvirt's formatdomain). */
function isFileDisk({ attributes }: XmlElement): boolean {
  return (attributes.type ?? "file") === "file" && (attributes.device ?? "disk") === "disk";
}
