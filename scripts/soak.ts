// Longer trials: what must hold over hundreds of rounds. Prints the figures for SPECIFICATION.md. `npm run soak` takes about three quarters of an hour, `npm run soak agent` (or lives, polls, restarts, migrations) a part of it.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentAtRest } from "./soak.d/agent.ts";
import { migrations } from "./soak.d/migrations.ts";
import { restarts } from "./soak.d/restarts.ts";

const LIVES = 100;
const POLLS = 200;
const VMS = 50;

/** Each can be asked for alone. */
const PARTS: Readonly<Record<string, () => void | Promise<void>>> = { lives, polls, agent: agentAtRest, restarts, migrations };
const asked = process.argv.slice(2);
const unknown = asked.find((part) => !Object.hasOwn(PARTS, part));
if (unknown !== undefined) throw new Error(`there is no part "${unknown}": ${Object.keys(PARTS).join(", ")}`);

process.chdir(join(import.meta.dir, ".."));
must([process.execPath, "scripts/build.ts"]);
must(["scripts/lab", "up"]);
must(["scripts/lab", "guest"]);
const folder = mkdtempSync(join(tmpdir(), "onevirt-soak-"));
chmodSync(folder, 0o755);
try {
  const tree = join(folder, "remotes");
  must(["scripts/lab", "tree", tree]);
  must(["dist/onevirt", "remotes", "install", "--tree", tree, "--actions", "--monitoring", "--backup", join(folder, "backup")]);
  for (const [name, part] of Object.entries(PARTS)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    must(["scripts/lab", "sync", "hosta", tree]);
    await part();
  }
  leftovers();
  console.log(`${new Date().toISOString().slice(0, 10)}, commit ${output(["git", "rev-parse", "--short=12", "HEAD"])}`);
} finally {
  if (!process.env.ONEVIRT_KEEP_LAB) must(["scripts/lab", "down"]);
  rmSync(folder, { recursive: true, force: true });
}

/** One VM deployed and cancelled again and again: no domain, lock or answer is lost. */
function lives(): void {
  const directory = "/var/lib/one/datastores/0/160";
  const xml = output(["scripts/lab", "domain", "one-160", "--vm-dir", directory]);
  const uuid = /<uuid>([^<]+)</.exec(xml)?.[1] ?? "";
  const script = `for i in $(seq ${LIVES}); do
    id=$(/var/tmp/one/vmm/kvm/deploy ${directory}/deployment.0 hosta 160 hosta < ${directory}/document) || exit 10
    [ "$id" = ${uuid} ] || exit 11
    /var/tmp/one/vmm/kvm/cancel "$id" hosta 160 hosta || exit 12
    [ "$(/var/tmp/one/vmm/kvm/poll "$id" hosta 160 hosta)" = STATE=- ] || exit 13
  done`;
  output(["scripts/lab", "exec", "hosta", `cat > ${directory}/document`], xml);
  const start = performance.now();
  output(["scripts/lab", "exec", "hosta", script]);
  console.log(`${LIVES} lives of one VM: every answer right, ${((performance.now() - start) / 1000 / LIVES).toFixed(2)} s each`);
}

/** Polls beside each other while guests come and go: never an empty report, never a VM called off that runs. */
async function polls(): Promise<void> {
  must(["scripts/lab", "density", "hosta", String(VMS)]);
  const script = `for i in $(seq ${POLLS}); do
    report=$(/var/tmp/one/vmm/kvm/poll -t) || exit 10
    [ "$(printf '%s\\n' "$report" | grep -c 'POLL="STATE=a ')" = ${VMS} ] || { printf '%s\\n' "$report" | tail -5; exit 11; }
  done`;
  const start = performance.now();
  const workers = [0, 1].map(() => Bun.spawn(["scripts/lab", "exec", "hosta", script], { stdout: "inherit", stderr: "inherit" }));
  for (const code of await Promise.all(workers.map((worker) => worker.exited))) if (code !== 0) throw new Error("a poll was wrong");
  console.log(`${POLLS * 2} polls of ${VMS} VMs by two pollers at once: all complete, ${((performance.now() - start) / POLLS).toFixed(0)} ms each`);
  must(["scripts/lab", "density", "hosta", "0"]);
}

/** Nothing of ours is left when all is over. */
/** What ends may take a moment for it. */
function leftovers(): void {
  const look = () => output(["scripts/lab", "exec", "hosta", "ls /run/one/onevirt/locks 2>/dev/null; pgrep -u oneadmin -fa '[o]nevirt-x86_64' || true"]);
  let left = look();
  for (let tries = 0; left !== "" && tries < 10; left = look(), tries++) Bun.sleepSync(1000);
  if (left !== "") throw new Error(`left behind:\n${left}`);
  console.log("left behind: no lock, no process");
}

function output(command: readonly string[], stdin = ""): string {
  const { exitCode, stdout } = Bun.spawnSync([...command], { stdin: Buffer.from(stdin), stdout: "pipe", stderr: "inherit" });
  if (exitCode !== 0) throw new Error(`${command.slice(0, 3).join(" ")} ended with ${exitCode}`);
  return stdout.toString().trim();
}

function must(command: readonly string[]): void {
  const { exitCode } = Bun.spawnSync([...command], { stdio: ["ignore", "ignore", "inherit"] });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}`);
}
