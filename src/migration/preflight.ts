import { isActive } from "../core/states.ts";
import { isLoopback } from "./destination-address.ts";
import type { MigrationFacts } from "./facts.ts";
import type { MigrationOptions } from "./option-reader.ts";
import { MIGRATE } from "./options.ts";
import type { MigrationRequest } from "./request.ts";

/** Something that keeps a migration from starting, or that somebody should know. */
export interface Finding {
  readonly kind: "refusal" | "warning";
  /** A clause for messages, without final period. */
  readonly text: string;
}

type Check = (facts: MigrationFacts, request: MigrationRequest, options: MigrationOptions) => readonly (Finding | undefined)[];

/** Cache modes with which nothing of a disk stays in the memory of the source. */
const SAFE_CACHE: ReadonlySet<string> = new Set(["none", "directsync"]);

/** All checks, in the order in which they are told. */
const CHECKS: readonly Check[] = [hosts, address, destinationDomain, machineAndCpu, devices, disks, snapshots, postcopy];

/** Every reason to refuse a migration, and what else should be known, as a pure function of what both sides said. */
export function preflight(facts: MigrationFacts, request: MigrationRequest, options: MigrationOptions): readonly Finding[] {
  return [...namesOf(request), ...CHECKS.flatMap((check) => check(facts, request, options))].filter((each) => each !== undefined);
}

/** What can be said of the request alone. */
export function namesOf({ source, destination }: MigrationRequest): readonly Finding[] {
  if (/^(localhost(\..*)?|127\..*|::1)$/i.test(destination)) return [refusal(`"${destination}" is this host for everybody: the destination needs a name that other hosts know`)];
  return source === destination ? [refusal(`"${destination}" is the host that the VM runs on`)] : [];
}

function hosts({ sameHost, domain }: MigrationFacts, { destination }: MigrationRequest) {
  const same = "value" in sameHost && sameHost.value;
  return [
    isActive(domain.state) ? undefined : refusal(`"${domain.name}" is not running: libvirt reports it ${domain.state}`),
    same ? refusal(`${destination} has the same host UUID as this host: it is the same machine, or a copy of it (host_uuid in libvirtd.conf)`) : undefined,
  ];
}

/** libvirt gives the destination's own name to QEMU here, whatever name we reached it by (install-and-sync.md 9.2, issue 7276). */
function address({ address: found }: MigrationFacts, { destination }: MigrationRequest) {
  if (!found || !("value" in found)) return [];
  const { name, addresses } = found.value;
  const [said, cure] = [`${destination} calls itself "${name}", and QEMU here would be told to send the memory there:`, "correct DNS or /etc/hosts, or name an address with MIGRATE_URI in onevirt.conf (also where qemu.conf there has migration_host)"];
  const back = addresses.find(isLoopback);
  if (addresses.length === 0) return [refusal(`${said} this host does not know the name; ${cure}`)];
  return [back === undefined ? undefined : refusal(`${said} here that is ${back}, this host itself; ${cure}`)];
}

function destinationDomain({ there, sameName, domain }: MigrationFacts, { destination }: MigrationRequest) {
  const runs = there !== undefined && isActive(there.state);
  const other = sameName !== undefined && sameName.uuid !== domain.uuid;
  return [
    runs ? refusal(`${destination} has "${domain.name}" already: libvirt reports it ${there.state}`) : undefined,
    other ? refusal(`${destination} has another domain "${sameName.name}" (${sameName.uuid}, ${sameName.state})`) : undefined,
  ];
}

function machineAndCpu({ machine, machineRefused, cpu }: MigrationFacts, { destination }: MigrationRequest) {
  return [
    "unknown" in machineRefused ? warning(`whether ${destination} has machine type "${machine}" is not known: ${machineRefused.unknown}`) : undefined,
    "value" in machineRefused && machineRefused.value !== "" ? refusal(`${destination} cannot run machine type "${machine}": ${machineRefused.value}`) : undefined,
    cpu && "unknown" in cpu ? warning(`whether the CPU of ${destination} fits is not known: ${cpu.unknown}`) : undefined,
    cpu && "value" in cpu && cpu.value === "incompatible" ? refusal(`the CPU of ${destination} lacks what the guest uses; give the VM a CPU model that both hosts have`) : undefined,
  ];
}

function devices({ hostDevices, virtiofs }: MigrationFacts) {
  return [...hostDevices.map((device) => refusal(`the guest has a device of this host, which cannot move: ${device}`)), virtiofs ? refusal("the guest has a directory of this host mounted with virtiofs") : undefined];
}

function disks({ disks: planned }: MigrationFacts, { shared, sourceDirectory, destinationDirectory }: MigrationRequest, { flags }: MigrationOptions) {
  const unsafe = (flags & MIGRATE.VIR_MIGRATE_UNSAFE) !== 0;
  const copied = (flags & (MIGRATE.VIR_MIGRATE_NON_SHARED_DISK | MIGRATE.VIR_MIGRATE_NON_SHARED_INC)) !== 0;
  const cached = planned.filter(({ disk, plan }) => plan.need === "nothing" && disk.type === "file" && disk.path !== undefined && !disk.readOnly && !disk.shareable && !SAFE_CACHE.has(disk.cache));
  const moves = sourceDirectory !== undefined && destinationDirectory !== undefined && plain(sourceDirectory) !== plain(destinationDirectory);
  return [
    ...(unsafe || copied ? [] : cached.map(({ disk }) => warning(`disk ${disk.target} has cache mode "${disk.cache}": libvirt refuses that unless its file system is a cluster's, or MIGRATE_OPTIONS has --unsafe`))),
    !shared && moves ? refusal(`storage is not shared, and the directory of the VM would change from ${sourceDirectory} to ${destinationDirectory} at the same time: change the host first, then the datastore`) : undefined,
    !shared && destinationDirectory === undefined ? refusal("storage is not shared, and the driver message does not name the directory of the VM on the destination") : undefined,
  ];
}

/** A copy that QEMU makes of a running disk holds what the disk is now: snapshots inside the image would be lost (actions.md 7.12 defect 3). */
function snapshots({ snapshots: names, disks: planned }: MigrationFacts) {
  const copied = planned.filter(({ plan }) => plan.need === "copy").map(({ disk }) => disk.target);
  return [names.length > 0 && copied.length > 0 ? refusal(`the VM has system snapshots (${names.join(", ")}) inside images that would be copied (${copied.join(", ")}), and the copy would be without them: delete them, or migrate with the VM off`) : undefined];
}

function postcopy({ userfaultsDenied }: MigrationFacts, _request: MigrationRequest, { postcopy: asked }: MigrationOptions) {
  return [asked && userfaultsDenied ? warning("post-copy needs the sysctl vm.unprivileged_userfaultfd=1 on both hosts, unless QEMU runs as root; here it is 0") : undefined];
}

function plain(path: string): string {
  return path.replace(/\/+/g, "/").replace(/\/$/, "");
}

function refusal(text: string): Finding {
  return { kind: "refusal", text };
}

function warning(text: string): Finding {
  return { kind: "warning", text };
}
