import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NIC, messageXml, requestLine } from "../fixtures/driver-message.ts";
import { DriverProcess } from "../fixtures/driver-process.ts";
import { eventually, processesWith, residentKiB } from "../fixtures/driver-processes.ts";
import { DriverWorld } from "../fixtures/driver-world.ts";

// What hosts, scripts and oned can do to a driver: one answer each, and nothing is left behind.

setDefaultTimeout(60_000);

/** oned's patience after its end of the conversation (driver-protocol.md 2.2). */
const ONED_KILLS_AFTER_MS = 10_000;

let world: DriverWorld;
let driver: DriverProcess;

beforeEach(() => {
  world = new DriverWorld();
  for (const name of ["cancel", "resize", "shutdown", "snapshot_create"]) world.script(`vmm/kvm/${name}`);
  for (const name of ["pre", "post", "clean"]) world.script(`vnm/bridge/${name}`);
});

afterEach(async () => {
  driver.kill();
  await driver.exited;
  world[Symbol.dispose]();
});

function start(options = "-t 15 -r 0 kvm -p", env: Record<string, string> = {}): void {
  driver = new DriverProcess(world, [options], { env });
  driver.send("INIT\n");
}

async function answer(request: string): Promise<string> {
  const before = driver.results().length;
  driver.send(request);
  return (await driver.waitForResults(before + 1))[before] ?? "";
}

const nothingLeft = (): Promise<void> => eventually("no process is left", () => processesWith(world.root).length === 0);

describe("scripts", () => {
  test.each(["shutdown", "resize"] as const)("10 MB on both outputs of %s are one bounded answer", async (script) => {
    start();
    world.behave(`vmm/kvm/${script}`, { body: "head -c 10000000 /dev/zero | tr '\\0' x; head -c 10000000 /dev/zero | tr '\\0' y >&2" });
    const line = await answer(requestLine(script.toUpperCase(), 7));
    expect(line).toStartWith(`${script.toUpperCase()} SUCCESS 7 xxx`);
    expect(line.length).toBeLessThan(70_000);
  });

  test("bytes that are no text, NULs and line ends of all kinds are one line", async () => {
    start();
    world.behave("vmm/kvm/shutdown", { body: "printf 'a\\000b\\r\\nc\\377d\\rCANCEL SUCCESS 9 -'; printf 'e\\000\\377' >&2" });
    expect(await answer(requestLine("SHUTDOWN", 7))).toBe("SHUTDOWN SUCCESS 7 a b c\u{fffd}d CANCEL SUCCESS 9 -");
    expect(driver.lines.every((line) => !/[\0\r]/.test(line))).toBe(true);
  });

  test.each(["shutdown", "resize"] as const)("%s closes its outputs and ends later", async (script) => {
    start();
    world.behave(`vmm/kvm/${script}`, { body: "exec >&- 2>&-; sleep 0.3; exit 0" });
    expect(await answer(requestLine(script.toUpperCase(), 7))).toBe(`${script.toUpperCase()} SUCCESS 7 -`);
  });

  test("a script that does not read its stdin leaves the session in order", async () => {
    start();
    world.behave("vmm/kvm/cancel", {});
    world.write("host/vmm/kvm/cancel", "#!/bin/sh\nexit 0\n", 0o755);
    const big = `<NOTE>${"stop\nkill\nquit\nrun 0 'touch'\n".repeat(40_000)}</NOTE>`;
    expect(await answer(requestLine("CANCEL", 7, { template: NIC + big }))).toBe("CANCEL SUCCESS 7 -");
    expect(world.calls().map(({ path }) => path.split("/").at(-1))).toEqual(["clean"]);
  });

  test("a script killed by a signal is a failure without the shell's words about it", async () => {
    start();
    world.behave("vmm/kvm/shutdown", { body: "kill -KILL $$" });
    expect(await answer(requestLine("SHUTDOWN", 7))).toBe("SHUTDOWN FAILURE 7 -");
  });

  test("a background process that holds the output delays nothing", async () => {
    start("-t 15 -r 0 -l resize kvm -p");
    for (const script of ["shutdown", "resize"]) world.behave(`vmm/kvm/${script}`, { body: "sleep 300 & echo said" });
    expect(await answer(requestLine("SHUTDOWN", 7))).toBe("SHUTDOWN SUCCESS 7 said");
    expect(await answer(requestLine("RESIZE", 8))).toBe("RESIZE SUCCESS 8 said");
    const holders = processesWith(world.root).filter((each) => each.includes("sleep 300"));
    for (const line of holders) process.kill(Number(line.split(" ")[0]), "SIGKILL");
    expect(holders.length).toBe(2);
  });

  test.each(["bash", "dash", "sh"])("every byte of stdin arrives through %s", async (shell) => {
    start(`-s ${shell} kvm -p`);
    const note = Array.from({ length: 0x2ff }, (_, code) => String.fromCodePoint(code)).filter((c) => /[\t\n\u{20}-\u{7e}\u{a0}-\u{2ff}]/u.test(c) && !/[<&]/.test(c)).join("");
    const template = `<NOTE><![CDATA[${note}\n\n${"é".repeat(5000)}]]></NOTE>`;
    expect(await answer(requestLine("SHUTDOWN", 7, { template }))).toBe("SHUTDOWN SUCCESS 7 -");
    expect(world.calls()[0]?.stdin).toBe(`${messageXml({ template })}\n`);
  });

  test("a limit ends scripts that ignore TERM, and what they started", async () => {
    start("-w 1 -l snapshotcreate kvm -p");
    for (const script of ["shutdown", "snapshot_create"]) world.behave(`vmm/kvm/${script}`, { body: "trap '' TERM; sleep 60 & while :; do sleep 1; done" });
    driver.send(requestLine("SHUTDOWN", 7) + requestLine("SNAPSHOTCREATE", 8));
    const results = await driver.waitForResults(2);
    expect(results.toSorted()).toEqual(["SHUTDOWN FAILURE 7 Timeout Error", expect.stringContaining("SNAPSHOTCREATE FAILURE 8 Timeout executing")]);
    await eventually("no script is left", () => processesWith(world.root).filter((line) => line.includes("sleep") || line.includes("vmm/kvm")).length === 0);
  });
});

describe("connections", () => {
  test("ssh killed in the middle of a step is a failure, and the host ends the script", async () => {
    start();
    // A stand-in for ssh that can be killed without its remote side, as the real one.
    world.write("bin/ssh", `#!/bin/sh\nexec "${process.execPath}" "${world.root}/ssh.ts" "$@"\n`, 0o755);
    world.write("ssh.ts", SSH_OF_TWO_PROCESSES.replaceAll("ROOT", world.root));
    world.behave("vmm/kvm/shutdown", { body: "echo partial >&2; sleep 60 & sleep 60" });
    driver.send(requestLine("SHUTDOWN", 7));
    await eventually("what the script says has come over", () => existsSync(`${world.root}/copied`));
    process.kill(Number(await Bun.file(`${world.root}/ssh.pid`).text()), "SIGKILL");
    expect(await driver.waitForResults(1)).toEqual(["SHUTDOWN FAILURE 7 partial Error connecting to node1"]);
    await eventually("the host ended the script", () => processesWith(world.root).filter((line) => line.includes("sleep 60")).length === 0);
  });

  test("a host that swallows packets is given up in time", async () => {
    start("-r 1 kvm -p", { ONEVIRT_CONNECT_TIMEOUT: "1" });
    world.write("hosts/void", "echo 'ssh: connect to host void port 22: Connection timed out' >&2; sleep 0.2; exit 255\n");
    expect(await answer(requestLine("RESIZE", 7, { host: "void" }))).toBe("RESIZE FAILURE 7 ssh: connect to host void port 22: Connection timed out");
    expect(world.connections().length).toBe(2);
    expect(world.connections()[0]).toContain("ConnectTimeout=1");
  });

  test("-w covers connecting", async () => {
    start("-w 1 kvm -p");
    world.write("hosts/mute", "exec sleep 30\n");
    expect(await answer(requestLine("SHUTDOWN", 7, { host: "mute" }))).toBe("SHUTDOWN FAILURE 7 Timeout Error");
    await eventually("ssh is ended", () => processesWith(world.root).filter((line) => line.includes("sleep 30")).length === 0);
  });

  test("a login shell that talks before our shell begins is not listened to", async () => {
    start();
    world.write("hosts/chatty", "echo 'Welcome!'; echo 'Last login' >&2\n");
    world.behave("vmm/kvm/shutdown", { stdout: "done\n" });
    expect(await answer(requestLine("SHUTDOWN", 7, { host: "chatty" }))).toBe("SHUTDOWN SUCCESS 7 done");
    expect(driver.lines.filter((line) => /Welcome|Last/.test(line))).toEqual([]);
  });

  test("many actions that miss the scripts share one copy", async () => {
    start();
    world.script("vmm/kvm/reboot", { onHosts: false });
    world.write("hosts/scp", `while ! [ -e ${world.root}/all-have-asked ]; do sleep 0.05; done\n`);
    driver.send([1, 2, 3, 4, 5].map((id) => requestLine("REBOOT", id)).join(""));
    await Bun.sleep(500); // by then those that will ask have asked
    world.write("all-have-asked", "");
    expect((await driver.waitForResults(5)).toSorted()).toEqual([1, 2, 3, 4, 5].map((id) => `REBOOT SUCCESS ${id} -`));
    expect(world.connections().filter(([program]) => program === "scp").length).toBe(1);
  });

  test("a copy that fails is told, and the action says what is missing", async () => {
    start();
    world.script("vmm/kvm/reboot", { onHosts: false });
    world.write("hosts/scp", "echo 'scp: No space left on device' >&2; exit 1\n");
    expect(await answer(requestLine("REBOOT", 7))).toBe(
      `REBOOT FAILURE 7 Cannot find ${world.hostTree}/vmm/kvm/reboot on node1 as an executable file: scp ended with status 1: scp: No space left on device`,
    );
    expect(driver.lines).toContain("LOG W 7 Cannot copy all scripts to node1: scp ended with status 1: scp: No space left on device");
  });

  test("hosts keep each other out of nothing: 1,000 requests at once, one host dead", async () => {
    start("-t 8 kvm -p");
    const requests = Array.from({ length: 1000 }, (_, id) => requestLine("RESIZE", id, { host: id % 10 === 0 ? "dead1" : `node${id % 3}` }));
    driver.send(requests.join(""));
    const results = await driver.waitForResults(1000, 50);
    expect(results.filter((line) => line.includes("SUCCESS")).length).toBe(900);
    expect(new Set(results.map((line) => line.split(" ")[2])).size).toBe(1000);
  });
});

describe("oned", () => {
  test("messages of 1 MB are read and given on whole", async () => {
    start("-l resize kvm -p");
    const template = `<NOTE>${"x".repeat(1_000_000)}</NOTE>`;
    driver.send([1, 2, 3].map((id) => requestLine("RESIZE", id, { template })).join(""));
    expect((await driver.waitForResults(3)).toSorted()).toEqual([1, 2, 3].map((id) => `RESIZE SUCCESS ${id} -`));
    expect(world.calls().map(({ stdin }) => stdin.length)).toEqual([1, 2, 3].map(() => Buffer.from(messageXml({ template })).toString("base64").length));
  });

  test("closes the pipe in the middle of everything: the driver ends, and so does its work", async () => {
    start();
    world.behave("vmm/kvm/shutdown", { body: "trap '' TERM; sleep 60" });
    driver.send(requestLine("SHUTDOWN", 7) + requestLine("SHUTDOWN", 8));
    await eventually("both run", () => world.calls().length === 2);
    driver.endInput();
    const began = performance.now();
    expect(await driver.exited).toBe(0);
    expect(performance.now() - began).toBeLessThan(ONED_KILLS_AFTER_MS);
    await nothingLeft();
  });

  test("stops reading the answers: the driver ends although its input is open", async () => {
    const entry = `${import.meta.dir}/../fixtures/driver-entry.ts`;
    world.write("start.sh", `"${process.execPath}" "${entry}" "-l resize kvm -p" | head -n 1\necho "status of the pipe: ended"\n`);
    driver = new DriverProcess(world, [], { command: ["sh", `${world.root}/start.sh`] });
    driver.send("INIT\n");
    await driver.until("INIT", (lines) => lines.length > 0);
    const asking = setInterval(() => driver.send(requestLine("RESIZE", 7)), 100); // head may still be about to close the pipe
    await driver.until("the driver's end", (lines) => lines.length > 1).finally(() => clearInterval(asking));
    expect(driver.lines).toEqual(["INIT SUCCESS - -", "status of the pipe: ended"]);
  });

  test("starts the driver with every signal blocked and without stderr: both are put right", async () => {
    world.behave("vmm/kvm/resize", { body: "grep SigBlk /proc/self/status | cut -f2" });
    const entry = `${import.meta.dir}/../fixtures/driver-entry.ts`;
    const blocked = `import signal, os; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); os.close(2); os.execv("${process.execPath}", ["bun", "${entry}", "-l resize kvm -p"])`;
    world.write("start.py", blocked);
    driver = new DriverProcess(world, [], { command: ["python3", `${world.root}/start.py`] });
    driver.send(`INIT\n${requestLine("RESIZE", 7)}`);
    expect(await driver.waitForResults(1)).toEqual(["RESIZE SUCCESS 7 0000000000000000"]);
    process.kill(driver.pid, "SIGTERM");
    expect(await driver.exited).toBe(0);
  });

  test("10,000 actions later the memory is what it was", async () => {
    start("-t 30 -l resize kvm -p");
    world.write("var/remotes/vmm/kvm/resize", "#!/bin/sh\nexit 0\n", 0o755);
    const line = requestLine("RESIZE", 7);
    const sizes: number[] = [];
    for (let round = 1; round <= 20; round += 1) {
      driver.send(line.repeat(500));
      await driver.waitForResults(500 * round);
      sizes.push(residentKiB(driver.pid));
    }
    console.log(`resident MiB after each 500 actions: ${sizes.map((size) => Math.round(size / 1024)).join(" ")}`);
    expect(Math.min(...sizes.slice(10))).toBeLessThan(Math.max(...sizes.slice(2, 10)) * 1.15); // what grows lifts the least, too; the most is garbage that nobody has collected yet
  }, 120_000);
});

const SSH_OF_TWO_PROCESSES = `
const words = process.argv.slice(2).filter((word, at, all) => word !== "-o" && all[at - 1] !== "-o");
await Bun.write("ROOT/ssh.pid", String(process.pid));
// Its own session, and pipes that only this process holds: when it dies, the other side sees the end of its input.
const remote = Bun.spawn(["setsid", "env", "OV_HOST=" + words[0], ...words.slice(1)], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
const copy = async (from, to) => { for await (const chunk of from) { await Bun.write(to, chunk); if (Buffer.from(chunk).includes("partial")) await Bun.write("ROOT/copied", ""); } };
void copy(remote.stdout, Bun.stdout);
void copy(remote.stderr, Bun.stderr);
for await (const chunk of Bun.stdin.stream()) { remote.stdin.write(chunk); await remote.stdin.flush(); }
await remote.stdin.end();
process.exit(await remote.exited);
`;
