import { type DatastorePlan, datastorePlanText } from "./datastore-plan-text.ts";
import type { MigrationFacts } from "./facts.ts";
import type { JournalEntry } from "./journal.ts";
import type { MigrationOptions } from "./option-reader.ts";
import { MIGRATE } from "./options.ts";
import type { PlannedDisk } from "./disks.ts";
import { numbered, section, verdict } from "./plan-sections.ts";
import type { Finding } from "./preflight.ts";
import type { MigrationRequest } from "./request.ts";

/** What a migration would do, before anything is done. */
export interface MigrationPlan {
  readonly request: MigrationRequest;
  readonly options: MigrationOptions;
  /** undefined when a side could not be asked; the findings then say which. */
  readonly facts: MigrationFacts | undefined;
  readonly findings: readonly Finding[];
  /** What a killed migration left. */
  readonly open: JournalEntry | undefined;
}

/** The plan for people: what would be done, in order, and every reason to refuse. */
export function planText(plan: MigrationPlan | DatastorePlan): string {
  if ("moves" in plan) return datastorePlanText(plan);
  return [...head(plan), ...section("Disks", disks(plan)), ...section("Steps", numbered(steps(plan))), ...verdict(plan.findings)].join("\n");
}

function head({ request, options, facts, open }: MigrationPlan): readonly string[] {
  const name = facts?.domain.name ?? request.ref;
  const flags = Object.entries(MIGRATE).filter(([, bit]) => (options.flags & bit) !== 0).map(([flag]) => flag.replace("VIR_MIGRATE_", "").toLowerCase());
  const parameters = Object.entries(options.parameters).map(([key, value]) => `${key} = ${String(value)}`);
  return [
    `Migrate "${name}" from ${request.source || "this host"} to ${request.destination}`,
    `  libvirt there: ${request.destinationUri}, ${options.peerToPeer ? "called by libvirt here" : "called by this program"}`,
    `  flags: ${flags.join(", ")}`, ...(parameters.length > 0 ? [`  parameters: ${parameters.join(", ")}`] : []),
    `  storage: ${request.shared ? "shared" : "not shared"}`,
    ...(facts ? [`  memory goes to: ${address(facts, options)}`] : []),
    `  ports there: ${ports(request, options)}`,
    "  not checked: whether a firewall lets these ports through, for nobody listens on them before",
    ...(open ? [`  an earlier migration to ${open.destination} did not end (it was in "${open.phase}"): both sides would be asked first, and it would be finished or taken back`] : []),
  ];
}

/** Where QEMU is told to connect to, as far as that is known. */
function address({ address: found }: MigrationFacts, { parameters, flags }: MigrationOptions): string {
  if ((flags & MIGRATE.VIR_MIGRATE_TUNNELLED) !== 0) return "libvirt there, through its own connection";
  if (parameters["migrate_uri"] !== undefined) return `${String(parameters["migrate_uri"])}, not checked`;
  if (!found) return "the name that the destination gives itself, not checked: that is for the source to know";
  if (!("value" in found)) return `the name that the destination gives itself, not checked: ${found.unknown}`;
  const { name, addresses } = found.value;
  return `${name}, ${addresses.length === 0 ? "which this host does not know" : `here ${addresses.join(", ")}`} (unless qemu.conf there has migration_host)`;
}

/** libvirt's own port by protocol, and the ports that QEMU takes for memory and disks (migration_port_min and _max of qemu.conf). */
function ports({ destinationUri }: MigrationRequest, { parameters, flags }: MigrationOptions): string {
  const daemon: Readonly<Record<string, string>> = { "qemu+ssh": "22", "qemu+libssh2": "22", "qemu+libssh": "22", "qemu+tcp": "16509", "qemu+tls": "16514", "qemu": "16514" };
  const own = daemon[destinationUri.split(":", 1)[0] ?? ""] ?? "that of libvirt";
  if ((flags & MIGRATE.VIR_MIGRATE_TUNNELLED) !== 0) return own;
  return `${own}, and ${parameters["migrate_uri"] === undefined ? "one of 49152 to 49215 for memory and disks (unless qemu.conf there says otherwise)" : `that of ${String(parameters["migrate_uri"])}`}`;
}

function disks({ facts }: MigrationPlan): readonly string[] {
  return (facts?.disks ?? []).map(({ disk, plan }) => `${disk.target} ${disk.path ?? `(${disk.type})`}: ${need(plan)}`);
}

function need(plan: PlannedDisk["plan"]): string {
  if (plan.need === "nothing") return `nothing to do, ${plan.because}`;
  if (plan.need === "send") return "sent before with rsync, nobody writes it";
  return plan.make === "image" ? "copied by QEMU into an image made before" : "sent before with everything it stands on, then copied by QEMU";
}

function steps({ request, facts, options }: MigrationPlan): readonly string[] {
  const snapshots = facts?.snapshots ?? [];
  const copies = (facts?.disks ?? []).some(({ plan }) => plan.need !== "nothing");
  return [
    "note in the journal what is about to be done",
    ...(copies ? [`make on ${request.destination} what is not there: directories, images, links`] : []),
    ...(snapshots.length > 0 ? [`let libvirt here forget its snapshots (${snapshots.join(", ")}); their content stays in the images`] : []),
    `migrate, telling progress${options.timeoutSeconds === undefined ? "" : `; ${options.atTimeout === "postcopy" ? "post-copy" : "suspend the guest"} after ${options.timeoutSeconds} s`}${options.postcopyAfterPrecopy ? "; post-copy after the first pass" : ""}`,
    "ask both sides who runs the VM",
    `if ${request.destination} does: ${snapshots.length > 0 ? "make the snapshots known there, " : ""}set the clock of the guest when SYNC_TIME says so`,
    "if this host does: take back what was made; if nobody can tell: leave everything, and say what to check",
  ];
}
