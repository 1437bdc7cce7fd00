// The driver process against the bare processes that its work cannot do without: the fork of a script, an ssh over a shared connection.
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { messageXml, requestLine } from "../../test/fixtures/driver-message.ts";
import { DriverProcess } from "../../test/fixtures/driver-process.ts";
import { residentKiB } from "../../test/fixtures/driver-processes.ts";
import { DriverWorld } from "../../test/fixtures/driver-world.ts";
import { median, type Row } from "./rows.ts";

const LOCAL_ACTIONS = 1000;
const SSH_ACTIONS = 200;
/** As oned starts it; sshd allows ten sessions on one connection. */
const LOCAL_THREADS = 15;
const SSH_THREADS = 8;
const ROUNDS = 5;
const PROMISED = 1.5;
const LAB_HOST = "hosta";
const LAB_CONFIG = "/var/lib/one/.ssh/config";

export async function bench(): Promise<readonly Row[]> {
  requireLab(); // before the minute that the local part takes
  process.env.ONEVIRT_EXECUTABLE ??= join(import.meta.dir, "..", "..", "dist", "onevirt");
  return [...(await local()), ...(await overSsh()), await idle()];
}

async function local(): Promise<readonly Row[]> {
  using world = new DriverWorld();
  world.write("var/remotes/vmm/kvm/resize", "#!/bin/sh\nexit 0\n", 0o755);
  const script = [`${world.remotes}/vmm/kvm/resize`, "one-7", "7", "node1"];
  return await compete(`${LOCAL_ACTIONS} local actions`, "fork of the script", LOCAL_ACTIONS,
    () => drive(world, `-t ${LOCAL_THREADS} -l resize kvm -p`, "node1", LOCAL_ACTIONS),
    () => bare(script, LOCAL_THREADS, LOCAL_ACTIONS, {}));
}

/** On a host of the lab: a real sshd, one connection shared by all as on a front-end. */
async function overSsh(): Promise<readonly Row[]> {
  using world = new DriverWorld();
  chmodSync(world.root, 0o755);
  world.write("host/vmm/kvm/resize", "#!/bin/sh\nexit 0\n", 0o755);
  const options = `-F ${LAB_CONFIG} -o ControlMaster=auto -o ControlPath=${world.root}/c-%C -o ControlPersist=60`;
  world.write("bin/ssh", `#!/bin/sh\nexec /usr/bin/ssh ${options} "$@"\n`, 0o755);
  const ssh = ["ssh", LAB_HOST, `${world.hostTree}/vmm/kvm/resize one-7 7 ${LAB_HOST}`];
  const environment = { PATH: world.environment.PATH ?? "" };
  try {
    Bun.spawnSync(["ssh", LAB_HOST, "true"], { env: environment, stdio: ["ignore", "ignore", "ignore"] });
    return await compete(`${SSH_ACTIONS} actions over ssh`, "ssh with a shared connection", SSH_ACTIONS,
      () => drive(world, `-t ${SSH_THREADS} kvm -p`, LAB_HOST, SSH_ACTIONS),
      () => bare(ssh, SSH_THREADS, SSH_ACTIONS, environment));
  } finally {
    Bun.spawnSync(["ssh", "-O", "exit", LAB_HOST], { env: environment, stdio: ["ignore", "ignore", "ignore"] });
  }
}

/** Throws when the host cannot be reached: a row less would look like a success. */
function requireLab(): void {
  const { exitCode, stderr } = Bun.spawnSync(["ssh", "-F", LAB_CONFIG, "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", LAB_HOST, "true"], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`Cannot reach "${LAB_HOST}" with ${LAB_CONFIG}: ${stderr.toString().trim()}; scripts/lab up makes it`);
}

async function idle(): Promise<Row> {
  using world = new DriverWorld();
  const driver = new DriverProcess(world, ["-t 15 -r 0 kvm -p"]);
  driver.send("INIT\n");
  await driver.until("INIT", (lines) => lines.length > 0);
  const name = `idle, ${(residentKiB(driver.pid) / 1024).toFixed(1)} MiB resident (promised 70)`;
  const began = performance.now();
  await driver.finish();
  return { area: "driver", name, medianMs: performance.now() - began };
}

/** Both in turn, so that the noise of the machine falls on both alike. Times are for all of the actions together. */
async function compete(name: string, floor: string, count: number, ours: () => Promise<number>, theirs: () => Promise<number>): Promise<readonly Row[]> {
  const [mine, other]: [number[], number[]] = [[], []];
  for (let round = -1; round < ROUNDS; round += 1) {
    const [a, b] = [await ours(), await theirs()];
    if (round >= 0) mine.push(a), other.push(b);
  }
  const [ourMs, theirMs] = [median(mine), median(other)];
  return [
    { area: "driver", name: `${floor}, ${count} times`, medianMs: theirMs },
    { area: "driver", name, medianMs: ourMs, against: floor, ratio: ourMs / theirMs, promised: PROMISED },
  ];
}

/** Milliseconds from the first request to the last answer. */
async function drive(world: DriverWorld, options: string, host: string, count: number): Promise<number> {
  // The bare processes are not nice to others either.
  world.write("etc/defaultrc", "PRIORITY=0\n");
  const driver = new DriverProcess(world, [options]);
  driver.send("INIT\n");
  await driver.until("INIT", (lines) => lines.length > 0);
  const line = requestLine("RESIZE", 7, { host });
  const began = performance.now();
  driver.send(line.repeat(count));
  const results = await driver.waitForResults(count, 300);
  const ms = performance.now() - began;
  const failed = results.find((result) => !result.includes(" SUCCESS "));
  if (failed !== undefined) throw new Error(`an action failed: ${failed}`);
  await driver.finish();
  return ms;
}

/** The same number of the bare command, as many at once, with the same stdin. */
async function bare(command: readonly string[], atOnce: number, count: number, environment: Readonly<Record<string, string>>): Promise<number> {
  const input = Buffer.from(messageXml());
  let left = count;
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const child = Bun.spawn([...command], { stdin: new Blob([input]), stdout: "pipe", stderr: "pipe", env: { ...process.env, ...environment } });
      await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
      if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed`);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: atOnce }, work));
  return performance.now() - began;
}
