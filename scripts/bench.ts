// Compares with the things replaced, in one run on one machine, and prints medians and ratios: the machine is noisy, the ratios are the message.
import { appendFileSync, chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asTable, type Row } from "./bench.d/rows.ts";

process.chdir(join(import.meta.dir, ".."));
/** Parts that run on a host of the lab; that of the driver reaches one over ssh. */
const ON_HOST = ["start", "action", "actions", "poll", "monitor", "migrate"];
const HERE = readdirSync("scripts/bench.d").filter((name) => name !== "rows.ts" && !name.startsWith("host") && name.endsWith(".ts")).map((name) => name.replace(".ts", ""));
const only = process.argv.slice(2);
const unknown = only.find((part) => ![...ON_HOST, ...HERE].includes(part));
if (unknown !== undefined) throw new Error(`There is no part "${unknown}", only ${[...ON_HOST, ...HERE].join(", ")}`);
const wanted = (part: string) => only.length === 0 || only.includes(part);
const rows: Row[] = [];

must([process.execPath, "scripts/build.ts"]);
const needsLab = [...ON_HOST, "driver"].some(wanted);
try {
  if (needsLab) must(["scripts/lab", "up", "--hosts", wanted("migrate") ? "2" : "1"]);
  if (ON_HOST.some(wanted)) allOnHost();
  await allHere();
} finally {
  if (needsLab && !process.env.ONEVIRT_KEEP_LAB) must(["scripts/lab", "down"]);
}
console.log(`${new Date().toISOString().slice(0, 10)}, commit ${Bun.spawnSync(["git", "rev-parse", "--short=12", "HEAD"]).stdout.toString().trim()}`);
console.log(asTable(rows));
process.exit(0); // the time limits of what was waited for still run

function allOnHost(): void {
  const tree = join(openTemporary("onevirt-bench-"), "remotes");
  try {
    must(["scripts/lab", "guest"]);
    must(["scripts/lab", "tree", tree]);
    must(["dist/onevirt", "remotes", "install", "--tree", tree, "--actions", "--monitoring", "--backup", `${tree}-backup`]);
    must(["scripts/lab", "sync", "hosta", tree]);
    if (wanted("start")) rows.push(...onHost("start"));
    if (wanted("action")) must(["scripts/lab", "density", "hosta", "1"]), rows.push(...onHost("action"));
    if (wanted("actions")) rows.push(...onLinuxGuest("actions"));
    for (const count of wanted("poll") ? ["1", "50", "100"] : []) must(["scripts/lab", "density", "hosta", count]), rows.push(...onHost("poll"));
    if (wanted("migrate")) onBothHosts(tree);
    if (wanted("monitor")) must(["scripts/lab", "density", "hosta", "100"]), compileFloor(), rows.push(...onHost("monitor"));
  } finally {
    must(["scripts/lab", "density", "hosta", "0"]);
    rmSync(join(tree, ".."), { recursive: true, force: true });
  }
}

async function allHere(): Promise<void> {
  for (const name of HERE) {
    if (!wanted(name) && !(name === "simulated" && wanted("monitor"))) continue;
    const part = (await import(`./bench.d/${name}.ts`)) as { readonly bench?: () => Promise<readonly Row[]> };
    rows.push(...((await part.bench?.()) ?? []));
  }
}

function onHost(part: string): readonly Row[] {
  const bun = "/srv/onevirt/node_modules/.bin/bun";
  const { exitCode, stdout } = Bun.spawnSync(["scripts/lab", "exec", "hosta", `${bun} /srv/onevirt/scripts/bench.d/host.ts ${part}`], { stdout: "pipe", stderr: "inherit" });
  if (exitCode !== 0) throw new Error(`the part ${part} failed`);
  return JSON.parse(stdout.toString()) as Row[];
}

/** Options that upstream's calls are given, too. */
function onBothHosts(tree: string): void {
  appendFileSync(join(tree, "etc/vmm/kvm/kvmrc"), "\nMIGRATE_OPTIONS=--unsafe\n");
  for (const host of ["hosta", "hostb"]) must(["scripts/lab", "sync", host, tree]);
  rows.push(...onHost("migrate"));
}

/** The C program that makes the bare calls, where the host finds it. */
function compileFloor(): void {
  const program = join(openTemporary("onevirt-floor-"), "floor");
  try {
    must([Bun.which("gcc") ?? "gcc", "-O2", "-o", program, "scripts/bench.d/floor.c", "-lvirt"]);
    const { exitCode } = Bun.spawnSync(["scripts/lab", "rootexec", "hosta", "cat > /var/tmp/one/onevirt-floor && chmod 755 /var/tmp/one/onevirt-floor"], { stdin: Bun.file(program) });
    if (exitCode !== 0) throw new Error("the C program was not copied");
  } finally {
    rmSync(join(program, ".."), { recursive: true, force: true });
  }
}

/** A part that needs a guest with an agent, and a drive for a CD-ROM; another one is started and ended by the part itself. */
function onLinuxGuest(part: string): readonly Row[] {
  const lab = (command: string, line: string, stdin: Buffer | "ignore" = "ignore") => Bun.spawnSync(["scripts/lab", command, "hosta", line], { stdin, stdout: "ignore", stderr: "inherit" });
  const document = (vmid: string) => Bun.spawnSync(["scripts/lab", "domain", `one-${vmid}`, "--vm-dir", `/var/lib/one/datastores/0/${vmid}`]).stdout.toString();
  const drive = "<disk type='file' device='cdrom'><target dev='sdz' bus='scsi'/><readonly/><address type='drive' controller='0' bus='0' target='25' unit='0'/></disk>";
  lab("exec", "cat > /tmp/2102.xml", Buffer.from(document("2102")));
  lab("exec", "cat > /tmp/2101.xml && virsh -q -c qemu:///system create /tmp/2101.xml", Buffer.from(document("2101").replace("<controller type='scsi'", () => `${drive}<controller type='scsi'`)));
  try {
    for (let tries = 0; lab("exec", "virsh -q -c qemu:///system qemu-agent-command one-2101 '{\"execute\":\"guest-ping\"}' 2>/dev/null").exitCode !== 0; tries++) {
      if (tries > 120) throw new Error("the guest one-2101 does not start");
      Bun.sleepSync(500);
    }
    return onHost(part);
  } finally {
    lab("exec", "for vm in one-2101 one-2102; do virsh -q -c qemu:///system destroy $vm >/dev/null 2>&1; done; rm -rf /var/lib/one/datastores/0/210[12] /tmp/210[12].xml");
  }
}

function must(command: readonly string[]): void {
  if (!existsSync(command[0] ?? "") || Bun.spawnSync([...command], { stdio: ["ignore", "ignore", "inherit"] }).exitCode !== 0) throw new Error(`${command.join(" ")} failed`);
}

/** A directory that oneadmin can enter. */
function openTemporary(prefix: string): string {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(directory, 0o755);
  return directory;
}
