import { defineCommand } from "citty";
import { OnevirtError } from "../core/errors.ts";
import type { InstallOptions } from "../remotes/install.ts";
import type { Monitor } from "../remotes/monitoring.ts";
import type { Change, Outcome } from "../remotes/outcome.ts";
import type { Places } from "../remotes/places.ts";
import type { Status } from "../remotes/status.ts";

const places = {
  tree: { type: "string", valueHint: "DIR", description: "The remotes tree (default: /var/lib/one/remotes, or $ONE_LOCATION/var/remotes)" },
  backup: { type: "string", valueHint: "DIR", description: "Where replaced files are kept, outside of the tree (default: onevirt-backup beside the tree)" },
} as const;
const parts = {
  actions: { type: "boolean", description: "Take over the actions on VMs, as the first installation does; --no-actions gives them back" },
  monitoring: { type: "boolean", description: "Take over monitoring too; --no-monitoring gives it back. Without either a part stays as it is" },
} as const;
const generation = { type: "string", valueHint: "5|7", description: "The front-end's OpenNebula: 5 for 5.0 to 5.10, whose monitoring is another" } as const;
const dryRun = { type: "boolean", description: "Only tell what would change" } as const;

/** `onevirt remotes …`: the tree that onehost sync ships. */
export default defineCommand({
  meta: { name: "remotes", description: "Write, install or take back the tree that onehost sync ships" },
  subCommands: {
    install: defineCommand({
      meta: { name: "install", description: "Put onevirt into a front-end's remotes tree, and keep what it replaces; also after an upgrade of OpenNebula" },
      args: { ...places, "dry-run": dryRun, ...parts, generation: { ...generation, description: `${generation.description}; by default what VERSION of the tree says, and anything else is refused` } },
      run: ({ args }) => runInstall(onlyOptions(args), { dryRun: args["dry-run"] === true, actions: args.actions, monitoring: args.monitoring, monitor: monitorOf(args.generation) }),
    }),
    uninstall: defineCommand({
      meta: { name: "uninstall", description: "Take onevirt out of the tree: every file as it was, with owner, mode and time" },
      args: { ...places, "dry-run": dryRun },
      run: ({ args }) => runUninstall(onlyOptions(args), args["dry-run"] === true),
    }),
    status: defineCommand({
      meta: { name: "status", description: "Tell what stands in the tree, and what would break its copies; exit code 1 when something is wrong" },
      args: { ...places, json: { type: "boolean", description: "Print JSON" } },
      run: ({ args }) => runStatus(onlyOptions(args), args.json === true),
    }),
    write: defineCommand({
      meta: { name: "write", description: "Write the files that belong into a remotes tree, this executable among them, to an empty directory" },
      args: { directory: { type: "positional", required: true, description: "Where to; made when it does not exist" }, generation: { ...generation, default: "7" } },
      run: async ({ args }) => (await import("../remotes/write.ts")).writeTree(args.directory, process.execPath, monitorOf(args.generation)),
    }),
  },
});

interface PlaceOptions {
  readonly tree?: string | undefined;
  readonly backup?: string | undefined;
}

/** Everything since 5.12 counts as 7. BAD_ARGUMENT for a word that is no generation. */
function monitorOf(generation: string | undefined): Monitor | undefined {
  if (generation === undefined) return undefined;
  if (/^5(\.x)?$/.test(generation)) return "collectd";
  if (/^7(\.x)?$/.test(generation)) return "monitord";
  throw new OnevirtError("BAD_ARGUMENT", `Cannot use the generation "${generation}": it is 5 or 7`);
}

/** citty drops surplus words, and a tree that was named without --tree must not become the default one. */
function onlyOptions<T extends { readonly _: readonly string[] }>(args: T): T {
  const [word] = args._;
  if (word !== undefined) throw new OnevirtError("BAD_ARGUMENT", `Cannot use the argument "${word}": only options are expected`, { hint: "--tree DIR names a tree" });
  return args;
}

async function runInstall(options: PlaceOptions, how: InstallOptions): Promise<void> {
  const [{ install }, { thisProgram }] = await Promise.all([import("../remotes/install.ts"), import("../remotes/program.ts")]);
  const where = await placesOf(options);
  const outcome = uninterrupted(() => install(where, thisProgram(), how));
  const next = outcome.unchanged ? ["Nothing to do: onevirt is installed."] : [`What was replaced is kept in ${where.backup}.`, "", ...NEXT, ...SWITCH];
  tell(outcome, where, how.dryRun === true, next);
  await warn(where);
}

async function runUninstall(options: PlaceOptions, isDry: boolean): Promise<void> {
  const { uninstall } = await import("../remotes/uninstall.ts");
  const where = await placesOf(options);
  const outcome = uninterrupted(() => uninstall(where, { dryRun: isDry }));
  tell(outcome, where, isDry, outcome.unchanged ? ["Nothing to do: onevirt is not installed."] : ["", ...NEXT]);
}

async function runStatus(options: PlaceOptions, json: boolean): Promise<void> {
  const [{ statusOf }, { thisProgram }] = await Promise.all([import("../remotes/status.ts"), import("../remotes/program.ts")]);
  const status = statusOf(await placesOf(options), thisProgram());
  console.log(json ? JSON.stringify({ version: 1, ...status }, null, 2) : statusText(status));
  process.exitCode = status.wrong ? 1 : 0;
}

/** What an operator has to do so that the hosts get the tree (install-and-sync 6.1, 6.2). */
const NEXT: readonly string[] = [
  "The hosts still have the old files. As oneadmin, bring the new ones to one host and try it:",
  "  onehost sync --force HOST",
  "then to all of them:",
  "  onehost sync --force",
  "A host also gets them whenever its monitoring starts anew.",
];

const SWITCH: readonly string[] = ["To go back on one host at once, there and as root:", "  mkdir -p /etc/onevirt && touch /etc/onevirt/off"];

function tell({ changes, unchanged }: Outcome, { tree }: Places, isDry: boolean, next: readonly string[]): void {
  const title = isDry ? `In ${tree}, this would change:` : `In ${tree}:`;
  const table = changes.length > 0 ? [title, ...changes.map(changeLine)] : [];
  console.log([...table, ...(isDry && !unchanged ? ["Nothing was changed."] : next)].join("\n"));
}

function changeLine({ path, done, kept }: Change): string {
  return `  ${path.padEnd(32)}${done}${kept ? `; your changed version is kept in ${kept}` : ""}`;
}

/** Files of others that will make each copy fail are no reason not to install, but somebody must know. */
async function warn({ tree }: Places): Promise<void> {
  const [{ auditTree }, { Site }] = await Promise.all([import("../remotes/audit.ts"), import("../remotes/site.ts")]);
  using site = Site.open(tree);
  for (const { path, problem } of auditTree(site.tree.root, site.reader)) console.error(`Warning: ${tree}/${path}: ${problem}`);
}

function partNames({ actions, monitoring }: Status["parts"]): string {
  return [actions ? "actions" : "", monitoring ? "monitoring" : ""].filter(Boolean).join(" and ");
}

function statusText({ tree, installed, parts, backup, build, installedAt, files, findings, wrong }: Status): string {
  const rows = files.map(({ path, state }) => `  ${path.padEnd(32)}${state}`);
  return [
    `tree      ${tree}`,
    `onevirt   ${installed ? `installed${installedAt ? ` ${installedAt}` : ""}: ${partNames(parts)}` : "not installed"}`,
    `backup    ${backup.path}, ${backup.reason ?? backup.state}`,
    ...(installed ? [`build     ${build.tree ?? "unknown"} in the tree, ${build.this} here`, "", ...rows] : []),
    ...findings.map(({ path, problem, stops }) => `${stops ? "Wrong" : "Note"}: ${path}: ${problem}`),
    ...(wrong && installed && files.some(({ state }) => state !== "ours" && state !== "edited") ? ["", "To put things right, run: onevirt remotes install"] : []),
  ].join("\n");
}

async function placesOf(options: PlaceOptions): Promise<Places> {
  return (await import("../remotes/places.ts")).findPlaces(options, process.env);
}

/** Nothing may cut off the moment between two renames. All work is synchronous, so a handler makes signals wait for its end. */
function uninterrupted<T>(work: () => T): T {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const wait = (): void => {};
  for (const signal of signals) process.on(signal, wait);
  try {
    return work();
  } finally {
    for (const signal of signals) process.removeListener(signal, wait);
  }
}
