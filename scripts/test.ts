// Runs all tests and prints one closing line `N passed, N failed`. Two tracks run beside each other, the hypervisor's tests afterwards and
// alone. `--fast` runs what takes a minute and needs no hypervisor.
import { chmodSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Group {
  readonly name: string;
  /** Folders and files for bun test; those that do not exist are left out. */
  readonly paths: readonly string[];
  readonly needs?: "executable" | "lab";
  /** Groups of one track run one after the other; the tracks take about the same time. */
  readonly track: "first" | "second" | "alone";
  readonly fast?: true;
}

const GROUPS: readonly Group[] = [
  { name: "units", track: "first", fast: true, paths: ["test/unit", "test/golden", "test/layers.test.ts", "test/dependencies.test.ts", "test/specification.test.ts"] },
  { name: "libvirt", track: "first", fast: true, paths: ["test/libvirt"] },
  { name: "conformance", track: "second", fast: true, paths: ["test/conformance"] },
  { name: "executable", track: "second", needs: "executable", paths: ["test/contract"] },
  { name: "driver", track: "first", paths: ["test/driver"] },
  { name: "hypervisor", track: "alone", needs: "lab", paths: ["test/qemu"] },
];

const top = join(import.meta.dir, "..");
process.chdir(top);
const fast = process.argv.includes("--fast");
const only = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const reports = mkdtempSync(join(tmpdir(), "ovt-"));
/** What tests leave behind goes with it; oneadmin works there too, and names of sockets must stay short. */
const scratch = join(reports, "t");
chmodSync(reports, 0o755);
mkdirSync(scratch);
chmodSync(scratch, 0o1777);
let passed = 0;
let failed = 0;
/** What failed, a line each, said again at the end: thousands of lines stand before it. */
const troubles: string[] = [];

const began = performance.now();
try {
  if (only.length === 0) {
    step("types", ["node_modules/.bin/tsc", "--noEmit", "-p", "."]);
    step("generated files", [process.execPath, "scripts/gen.ts", "--check"]);
  }
  const wanted = GROUPS.filter(({ name, fast: isFast }) => (only.length > 0 ? only.includes(name) : !fast || isFast));
  const [first, second, alone] = (["first", "second", "alone"] as const).map((track) => wanted.filter((group) => group.track === track));
  await Promise.all([first, second].map((groups) => inTurn(groups ?? [])));
  await inTurn(alone ?? []);
} finally {
  rmSync(reports, { recursive: true, force: true });
}
for (const trouble of troubles) console.log(`== failed: ${trouble}`);
console.log(`all of it took ${elapsed(began)}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

/** One check that passes or fails as a whole. */
function step(name: string, command: readonly string[]): void {
  const start = performance.now();
  const { exitCode } = Bun.spawnSync([...command], { stdio: ["ignore", "inherit", "inherit"] });
  if (exitCode === 0) passed++;
  else fail(name);
  console.log(`== ${name}: ${exitCode === 0 ? "passed" : "FAILED"} in ${elapsed(start)}`);
}

async function inTurn(groups: readonly Group[]): Promise<void> {
  for (const group of groups) await runGroup(group);
}

async function runGroup(group: Group): Promise<void> {
  const paths = group.paths.filter((path) => existsSync(path));
  if (paths.length === 0) return;
  const start = performance.now();
  console.log(`== ${group.name}: ${paths.join(" ")}`);
  if (group.needs && !prepare(group)) return;
  try {
    count(group.name, await bunTest(group, paths));
  } finally {
    if (group.needs === "lab" && !process.env.ONEVIRT_KEEP_LAB) shell(["scripts/lab", "down"]);
  }
  console.log(`== ${group.name} took ${elapsed(start)}`);
}

/** Sets up what a group needs; a group that cannot run counts as a failure, never as a pass. */
function prepare({ name, needs }: Group): boolean {
  const ready = shell([process.execPath, "scripts/build.ts"]) && (needs !== "lab" || (shell(["scripts/lab", "up"]) && shell(["scripts/lab", "guest"])));
  if (!ready) {
    fail(`the set-up of ${name}`);
    console.log(`== ${name}: FAILED, its set-up did not succeed`);
  }
  return ready;
}

/** Groups that run beside others are printed when they have ended; that of the hypervisor as it goes. */
async function bunTest({ name, needs }: Group, paths: readonly string[]): Promise<{ readonly exitCode: number; readonly report: string }> {
  const report = join(reports, `${name}.xml`);
  const output = join(reports, `${name}.log`);
  const to = needs === "lab" ? "inherit" : openSync(output, "w");
  const command = [process.execPath, "test", "--timeout", "60000", "--reporter=junit", `--reporter-outfile=${report}`, ...paths.map((path) => `./${path}`)];
  const exitCode = await Bun.spawn(command, { stdio: ["ignore", to, to], env: { ...process.env, CI: process.env.CI ?? "", TMPDIR: scratch } }).exited;
  if (typeof to === "number") closeSync(to), console.log(readFileSync(output, "utf8"));
  return { exitCode, report };
}

/** Counts from the report, not from the exit code alone: a test that ends the process would end it with 0 (bun-notes 6.2). */
function count(name: string, { exitCode, report }: { exitCode: number; report: string }): void {
  const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
  const root = /<testsuites[^>]*>/.exec(xml)?.[0];
  const number = (attribute: string) => Number(new RegExp(`\\b${attribute}="(\\d+)"`).exec(root ?? "")?.[1] ?? 0);
  const [tests, failures, skipped] = [number("tests"), number("failures"), number("skipped")];
  const broken = failures === 0 && (exitCode !== 0 || tests === 0) ? 1 : 0;
  passed += tests - failures - skipped;
  failed += failures + skipped;
  troubles.push(...troublesOf(xml).map((test) => `${name}: ${test}`));
  if (broken) fail(`${name}, which ended with ${exitCode} after ${tests} tests`);
  console.log(`== ${name}: ${tests - failures - skipped} passed, ${failures + broken} failed${skipped > 0 ? `, ${skipped} skipped, which counts as failed` : ""}`);
}

/** The tests of a report in JUnit's format that failed or were skipped, with their file and what was said, in one line each. */
function troublesOf(xml: string): string[] {
  return [...xml.matchAll(/<testcase name="([^"]*)"[^>]* file="([^"]*)"[^>]*>\s*<(?:failure|(skipped))(?:[^>]* message="([^"]*)")?/g)].map(
    ([, test, file, skipped, message]) => unescapeXml(`${file}: ${test}: ${skipped ?? message?.replace(/(&#10;)+/g, " ").slice(0, 1000) ?? "failed"}`),
  );
}

function unescapeXml(text: string): string {
  const named: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(?:#(\d+)|(lt|gt|quot|apos|amp));/g, (_, code, name) => (code ? String.fromCodePoint(Number(code)) : (named[name] ?? "")));
}

function fail(what: string): void {
  failed++;
  troubles.push(what);
}

function shell(command: readonly string[]): boolean {
  return Bun.spawnSync([...command], { stdio: ["ignore", "inherit", "inherit"] }).exitCode === 0;
}

function elapsed(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
