// The client of 5.x as run_probes and stop_probes call it, with the built executable, in a mount namespace with /tmp and /var/tmp of its own (monitoring.md 11.1).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inflateSync } from "node:zlib";
import { ONEADMIN, PackagedTree, run } from "./packaged-tree.ts";
import { EXECUTABLE } from "../support/executable-tree.ts";
import { programsThat } from "../support/programs.ts";

const DIST = dirname(EXECUTABLE);
const MARK = "/im/kvm.d/collectd-client.rb kvm ";

/** As run_probes does it: every executable file of a directory, with all arguments, and the first failure ends it. */
const RUN_PROBES = '#!/bin/sh\ncd "$(dirname "$0")" || exit 1\ndata=$(cd "$1.d" && for each in *; do [ -x "$each" ] || continue; "./$each" "$@" || exit $?; done)\ncode=$?\nprintf "%s\\n" "$data"\nexit $code\n';
/** As stop_probes does it. */
const STOP_PROBES = '#!/bin/sh\ncd "$(dirname "$0")/$1.d" || exit 1\nfor each in *_control.sh; do [ ! -x "$each" ] || "./$each" stop || exit $?; done\n';
/** As the control of upstream ends whom it finds. */
const UPSTREAM_STOP = 'pid=$(cat /tmp/one-collectd-client.pid); tr "\\0" " " < "/proc/$pid/cmdline" | grep -q collectd-client && kill "$pid"';

/** A checkout below /tmp is still seen there. */
const OWN_PLACES = 'mount --bind "$1" /mnt; mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /var/tmp; mkdir -p "$1"; mount --bind /mnt "$1"; echo ready; exec sleep 600';

let tree: string;
let space: Bun.Subprocess;
let server: Awaited<ReturnType<typeof listen>>;
beforeAll(async () => {
  tree = mkdtempSync(join(DIST, "collectd-test-")); // /tmp is another one in there
  cpSync(join(DIST, "remotes-5.x"), tree, { recursive: true, mode: 2 /* clone where it can */ });
  write("VERSION", "5.10.1\n", 0o640);
  write("im/run_probes", RUN_PROBES);
  write("im/stop_probes", STOP_PROBES);
  write("im/kvm-probes.d/site.sh", '#!/bin/sh\necho "SITE=\\"$*\\""\n');
  write("im/kvm-probes.d/sick.sh", "#!/bin/sh\necho lost\nexit 3\n");
  write("im/kvm-probes.d/old.sh.rpmsave", "#!/bin/sh\necho OLD=1\n");
  mkdirSync(join(tree, "datastores/7"), { recursive: true });
  space = Bun.spawn(["unshare", "--mount", "--propagation", "private", "sh", "-ec", OWN_PLACES, "sh", tree], { stdout: "pipe" });
  for await (const _line of space.stdout as ReadableStream<Uint8Array>) break;
});
beforeEach(async () => {
  write("etc/vmm/kvm/kvmrc", "export LIBVIRT_URI=test:///default\n", 0o640);
  server = await listen();
});
afterEach(async () => {
  await inside([join(tree, "im/stop_probes"), "kvm"]);
  server.close();
});
afterAll(async () => {
  space.kill("SIGKILL");
  await space.exited;
  rmSync(tree, { recursive: true, force: true });
});

describe("the client of 5.x", () => {
  test("answers run_probes with all probes, then reports the same by UDP at its interval, and stop_probes leaves no process", async () => {
    const { code, out, err } = await start(1);
    expect({ code, err, site: out.includes(`SITE="kvm-probes ${tree}/datastores ${server.port} 1 3 host7"`), others: ["HYPERVISOR=kvm", "TOTALCPU=", "ARCH=", 'VERSION="5.10.1"', "DS_LOCATION_TOTAL_MB=", "ID = 7,", "VM_POLL=YES", 'VM_NAME="test"'].filter((word) => !out.includes(word)), strange: /lost|OLD/.exec(out)?.[0] }).toEqual({ code: 0, err: "", site: true, others: [], strange: undefined });
    const reports = [await server.next(), await server.next()];
    expect(reports.map(({ words, text }) => [words, text.includes("VM_POLL=YES"), text.includes("SITE="), text.includes("HYPERVISOR=kvm")] as unknown)).toEqual([[["MONITOR", "SUCCESS", "3"], true, true, true], [["MONITOR", "SUCCESS", "3"], true, true, true]]);
    await until(() => clients().length === 1);
    expect([(await inside([join(tree, "im/stop_probes"), "kvm"])).code, clients(), (await inside(["sh", "-c", "ls /tmp | grep one-"])).out] as unknown[]).toEqual([0, [], ""]);
  }, 60_000);

  test("has its pid where SIGHUP comes from, and reports at once", async () => {
    await start(9999);
    const [pid = 0] = clients();
    expect((await inside(["cat", "/tmp/one-collectd-client.pid"])).out).toBe(`${pid}\n`);
    process.kill(pid, "SIGHUP");
    expect((await server.next()).words).toEqual(["MONITOR", "SUCCESS", "3"]);
  }, 60_000);

  test("ends older clients when it starts, upstream's too, and is ended as upstream ends its own", async () => {
    write("im/kvm.d/collectd-client.rb", "read -r _forever\n", 0o640);
    const old = Bun.spawn(["nsenter", "-t", String(space.pid), "-m", "sh", join(tree, "im/kvm.d/collectd-client.rb"), "kvm", "/d", "4124", "20", "3", "host7"], { stdin: "pipe", stdout: "ignore" });
    await until(() => clients().length === 1);
    await start(9999);
    await start(9999);
    await old.exited;
    await until(() => clients().length === 1);
    expect((await inside(["sh", "-c", UPSTREAM_STOP])).code).toBe(0);
    await until(() => clients().length === 0);
  }, 60_000);

  test("ends when the tree was synchronised, so that the front-end starts the new one", async () => {
    write(".update", "", 0o640);
    await start(9999);
    write(".update", "", 0o640);
    await until(() => clients().length === 0);
  }, 60_000);

  test("does not run from the tree, because scp cannot write a file that runs", async () => {
    await start(9999);
    const [pid = 0] = clients();
    const program = join(tree, `onevirt/onevirt-${process.arch === "arm64" ? "aarch64" : "x86_64"}`);
    copyFileSync(EXECUTABLE, program); // writes into the file that is there, as scp does
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toStartWith("/var/tmp/one_db/program/onevirt-");
  }, 60_000);

  test("survives that nobody listens", async () => {
    server.close();
    await start(1);
    const [pid = 0] = clients();
    server = await listen(server.port);
    expect([(await server.next()).words[1], clients()] as unknown[]).toEqual(["SUCCESS", [pid]]);
  }, 60_000);

  test("answers and leaves nothing behind where it does not know whom to report to", async () => {
    const { code, out } = await start(1, {});
    await until(() => clients().length === 0);
    expect([code, out.includes("VM_POLL=YES")] as unknown[]).toEqual([0, true]);
  }, 60_000);

  test("does not call a list complete when libvirt cannot be asked, and reports the host all the same", async () => {
    write("etc/vmm/kvm/kvmrc", "export LIBVIRT_URI=qemu+unix:///system?socket=/nonexistent\n", 0o640);
    const { code, out } = await start(1);
    expect([code, out.includes("TOTALCPU="), out.includes("VM_POLL"), (await server.next()).text.includes("VM_POLL")] as unknown[]).toEqual([0, true, false, false]);
  }, 60_000);

  test("is refused with words that are wrong, and nothing runs", async () => {
    const { code, err } = await inside([join(tree, "im/run_probes"), "kvm", "/d", "no-port", "1", "3", "host7"]);
    expect([code !== 0, err, clients()] as unknown[]).toEqual([true, expect.stringContaining('"no-port" is no port'), []]);
  });
});

test("dist/remotes-5.x is what the bare executable writes, to the byte", async () => {
  const written = join(tree, "written");
  expect(Bun.spawnSync([EXECUTABLE, "remotes", "write", "--generation", "5", written]).exitCode).toBe(0);
  expect(Bun.spawnSync(["diff", "-r", join(DIST, "remotes-5.x"), written]).stdout.toString()).toBe("");
  expect([existsSync(join(written, "vmm/kvm/poll")), existsSync(join(written, "im/kvm.d/monitord-client_control.sh")), readdirSync(join(written, "im")).sort()] as unknown[]).toEqual([true, false, ["kvm-probes.d", "kvm.d", "qemu-probes.d", "qemu.d"]]);
}, 60_000);

test("a packaged tree of 5.x is taken over and given back to the byte, and as no other generation", () => {
  using packaged = new PackagedTree();
  packaged.write("VERSION", "5.10.1\n");
  for (const path of ["im/run_probes", "im/kvm.d/collectd-client_control.sh", "im/kvm-probes.d/poll.sh", "im/kvm-probes.d/kvm.rb", "im/qemu-probes.d/poll.sh"]) packaged.write(path, `#!/bin/bash\necho ${path}\n`, 0o750);
  run(["chown", "-R", `${ONEADMIN.uid}:${ONEADMIN.gid}`, packaged.path]); // directories too
  const before = packaged.snapshot();
  expect(packaged.remotes("install", "--monitoring", "--generation", "7")).toMatchObject({ code: 1, err: expect.stringContaining("its VERSION says 5.10.1") });
  expect(packaged.snapshot()).toEqual(before);
  expect(packaged.remotes("install", "--monitoring", "--generation", "5")).toMatchObject({ code: 0, err: "" });
  expect([packaged.remotes("status").code, ["run_probes", "kvm-probes.d/poll.sh", "qemu-probes.d/numa.rb"].map((path) => packaged.read(`im/${path}`).includes("Launcher of onevirt"))] as unknown[]).toEqual([0, [false, true, true]]);
  expect([packaged.remotes("uninstall").code, packaged.snapshot()] as unknown[]).toEqual([0, before]);
}, 60_000);

function write(path: string, text: string, mode = 0o750): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text);
  chmodSync(join(tree, path), mode);
}

function start(seconds: number, env: Record<string, string> = { SSH_CLIENT: "127.0.0.1 40000 22" }) {
  return inside([join(tree, "im/run_probes"), "kvm", join(tree, "datastores"), String(server.port), String(seconds), "3", "host7"], env);
}

/** Runs a program with the /tmp of the client. */
async function inside(command: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn(["nsenter", "-t", String(space.pid), "-m", ...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { PATH: process.env.PATH ?? "", ...env } });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { code, out, err };
}

/** Pids of clients of this tree, ours or others'. */
function clients(): readonly number[] {
  return programsThat((words) => words[0] !== "nsenter" && words.join(" ").includes(`${tree}${MARK}`));
}

/** collectd and oned in one: reports, taken apart by rules written down apart from ours. */
async function listen(port = 0) {
  const reports: { words: readonly string[]; text: string }[] = [];
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port, socket: { data: (_socket, data) => {
    const [, head = "", payload = ""] = /^(MONITOR \w+ \d+) ([A-Za-z0-9+/]+={0,2})\n$/.exec(data.toString()) ?? [];
    reports.push({ words: head.split(" "), text: inflateSync(Buffer.from(payload, "base64")).toString() });
  } } });
  const next = async () => {
    await until(() => reports.length > 0);
    return reports.shift() ?? { words: [], text: "" };
  };
  return { port: socket.port, next, close: () => socket.close() };
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error("it has not come to that within 30 s");
    await Bun.sleep(20);
  }
}
