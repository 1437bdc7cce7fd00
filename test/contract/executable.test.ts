import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Action } from "../../src/actions/action.ts";
import { actions } from "../../src/actions/table.ts";
import { EXECUTABLE, ExecutableTree, run, testDomain } from "../support/executable-tree.ts";

function tempDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "onevirt-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

describe("onevirt version", () => {
  test("--json names version, build, commit, Bun, target and the supported libvirt", async () => {
    const { stdout, stderr, exitCode } = await run([EXECUTABLE, "version", "--json"]);
    expect({ stderr, exitCode, facts: JSON.parse(stdout) }).toEqual({
      stderr: "", exitCode: 0,
      facts: {
        format: 1, version: expect.stringMatching(/^\d+\.\d+\.\d+$/), buildId: expect.stringMatching(/^[0-9a-f]{16}$/), commit: expect.any(String), bun: expect.stringMatching(/^\d/),
        target: `linux-${process.arch}`, libvirt: { oldest: "4.5.0", newest: expect.any(String) },
      },
    });
  });

  test("never loads libvirt", async () => {
    const { stderr } = await run([EXECUTABLE, "version"], { env: { LD_DEBUG: "files" } });
    expect({ debugged: stderr.includes("libc.so.6"), libvirt: /libvirt/.test(stderr) }).toEqual({ debugged: true, libvirt: false });
  });

  test("refuses what it does not know", async () => {
    expect(await run([EXECUTABLE, "version", "--jsn"])).toEqual({ exitCode: 2, stdout: "", stderr: 'Cannot print the version: unknown argument "--jsn"\n' });
  });
});

describe("onevirt in a hostile directory", () => {
  test("reads neither .env nor bunfig.toml, and runs no preload", async () => {
    using directory = tempDirectory();
    writeFileSync(join(directory.path, ".env"), "LIBVIRT_DEFAULT_URI=qemu:///evil\nONEVIRT_TRACE=-\nONEVIRT_TREE=/evil\n");
    writeFileSync(join(directory.path, "bunfig.toml"), 'preload = ["./preload.js"]\n');
    writeFileSync(join(directory.path, "preload.js"), `require("fs").writeFileSync(${JSON.stringify(join(directory.path, "ran"))}, "x");\n`);
    using tree = new ExecutableTree();
    const result = await tree.run("poll", ["test", "h", "1", "h"], { cwd: directory.path });
    expect({ code: result.exitCode, stderr: result.stderr, ran: existsSync(join(directory.path, "ran")) }).toEqual({ code: 0, stderr: "", ran: false });
  });

  test("never loads libvirt.so.0 from it", async () => {
    using directory = tempDirectory();
    writeFileSync(join(directory.path, "libvirt.so.0"), "not a library");
    using tree = new ExecutableTree();
    const { stderr, exitCode } = await tree.run("reset", ["test"], { cwd: directory.path, env: { LD_DEBUG: "files" } });
    expect({ exitCode, fromHere: stderr.includes(`${directory.path}/libvirt`), fromSystem: /\/usr\/lib[^ ]*\/libvirt\.so\.0/.test(stderr) }).toEqual({ exitCode: 0, fromHere: false, fromSystem: true });
  });
});

describe("onevirt by its called name", () => {
  test.each(Object.keys(actions))("is the action %s", async (name) => {
    using directory = tempDirectory();
    const { symlinkSync } = await import("node:fs");
    symlinkSync(EXECUTABLE, join(directory.path, name));
    const result = await run([join(directory.path, name), ...Array<string>(20).fill("surplus")]);
    expect({ code: result.exitCode, stdout: result.stdout }).toEqual({ code: 2, stdout: "" });
    expect(result.stderr).toContain(`Usage: ${name} `);
  });
});

describe.each(Object.entries(actions) as [string, Action][])("vmm %s", (name, row) => {
  test("refuses one argument more than its row has, and never exits 42", async () => {
    using tree = new ExecutableTree();
    const result = await tree.run(name, [...row.arguments.map((each) => each.name), "surplus"]);
    expect({ code: result.exitCode, stdout: result.stdout, lines: result.stderr.trim().split("\n").length }).toEqual({ code: 2, stdout: "", lines: 1 });
  });

  test("is explained by onevirt help", async () => {
    const { stdout, exitCode } = await run([EXECUTABLE, "help", name]);
    expect({ exitCode, summary: stdout.includes(row.summary), arguments: row.arguments.every((each) => stdout.includes(each.about)) }).toEqual({ exitCode: 0, summary: true, arguments: true });
  });
});

describe("an action", () => {
  test("starts with any of the descriptors 0 to 2 closed, and writes into no foreign file", async () => {
    using tree = new ExecutableTree();
    for (const closed of ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"]) {
      const { exitCode } = await run(["sh", "-c", `exec "$0" test h 1 h ${closed}`, join(tree.root, "vmm/kvm/reset")]);
      expect({ closed, exitCode }).toEqual({ closed, exitCode: 0 });
    }
    expect(readFileSync(join(tree.root, "etc/vmm/kvm/kvmrc"), "utf8")).toBe("export LIBVIRT_URI=test:///default\n");
  });

  test("writes nothing into its tree", async () => {
    using tree = new ExecutableTree();
    const before = readdirSync(join(tree.root, "onevirt"), { recursive: true });
    await tree.run("poll", ["-t"]);
    await tree.run("reset", ["test"]);
    expect({ own: readdirSync(join(tree.root, "onevirt"), { recursive: true }), top: readdirSync(tree.root).sort() }).toEqual({ own: before, top: ["VERSION", "datastores", "etc", "im", "locks", "onevirt", "state", "vmm"] });
  });

  test("finds kvmrc at its place of OpenNebula 5.4 too", async () => {
    using tree = new ExecutableTree();
    rmSync(join(tree.root, "etc"), { recursive: true });
    tree.write("vmm/kvm/kvmrc", "LIBVIRT_URI=test:///default\r\n".replace("\r", ""));
    expect((await tree.run("reset", ["test"])).exitCode).toBe(0);
  });

  test("names file, line and reason of a setting that it cannot use", async () => {
    using tree = new ExecutableTree({ kvmrc: "# mine\nSHUTDOWN_TIMEOUT=soon\nLIBVIRT_URI=test:///default\n" });
    const shutdown = await tree.run("shutdown", ["test"]);
    expect({ code: shutdown.exitCode, stderr: shutdown.stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^Could not shutdown test: .*etc\/vmm\/kvm\/kvmrc.* line 2.*\n$/) });
    expect((await tree.run("reset", ["test"])).exitCode).toBe(0); // it does not read that one
  });

  test("says which package is missing when there is no libvirt.so.0, and needs none for what does not use it", async () => {
    using tree = new ExecutableTree();
    const hide = (command: readonly string[]) => run(["unshare", "-m", "sh", "-c", 'for lib in /usr/lib/*/libvirt.so.0; do mount --bind /dev/null "$lib"; done; exec "$@"', "sh", ...command]);
    const action = await hide([join(tree.root, "vmm/kvm/reset"), "test"]);
    expect({ code: action.exitCode, stderr: action.stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^Could not reset domain test: Cannot load libvirt\.so\.0.*\. Install the package libvirt0 .*\.\n$/) });
    expect((await hide([EXECUTABLE, "version"])).exitCode).toBe(0);
    expect((await hide([EXECUTABLE, "config", "show"])).exitCode).toBe(0);
    expect((await hide([EXECUTABLE, "help", "deploy"])).exitCode).toBe(0);
  });
});

describe("ONEVIRT_TRACE", () => {
  test("records each libvirt call and file written, with duration and result, and no document", async () => {
    using tree = new ExecutableTree();
    const trace = join(tree.root, "trace");
    const xml = testDomain("one-7", "<devices><graphics type='vnc' passwd='SECRET'/></devices>");
    const result = await tree.run("deploy", [tree.deploymentFile, "h", "7", "h"], { stdin: xml, env: { ONEVIRT_TRACE: trace } });
    const lines = readFileSync(trace, "utf8");
    expect({ code: result.exitCode, stderr: result.stderr, secret: /SECRET/.test(lines) }).toEqual({ code: 0, stderr: "", secret: false });
    expect(lines).toMatch(/ libvirt \d+\.\d+ ms virConnectOpen\("test:\/\/\/default"\) = 0x/);
    expect(lines).toMatch(/ libvirt \d+\.\d+ ms virDomainCreateXML\(0x[0-9a-f]+, <\d+ characters>, 0\) = 0x/);
    expect(lines).toMatch(/ file \d+\.\d+ ms write .*\/deployment\.0 = \d+ bytes/);
  });

  test("costs and writes nothing when it is not set", async () => {
    using tree = new ExecutableTree();
    const result = await tree.run("reset", ["test"]);
    expect(result).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });
});

describe("processes spawned", () => {
  const count = async (tree: ExecutableTree, action: string, args: readonly string[]) => {
    const trace = join(tree.root, `trace-${Math.random()}`);
    mkdirSync(join(tree.root, "state"), { recursive: true });
    await tree.run(action, args, { env: { ONEVIRT_TRACE: trace }, stdin: testDomain() });
    return readFileSync(trace, "utf8").split("\n").filter((line) => / process \d/.test(line)).length;
  };

  test.each([["poll", ["-t"]], ["poll", []], ["poll", ["test"]], ["reset", ["test"]], ["reboot", ["test"]], ["cancel", ["test"]]])("by %s %p with a plain kvmrc: none", async (action, args) => {
    using tree = new ExecutableTree();
    expect(await count(tree, action, args)).toBe(0);
  });

  test.each(["vm/status/state", "vm/monitor/poll"])("by the probe %s: none", async (probe) => {
    using tree = new ExecutableTree();
    const trace = join(tree.root, "trace");
    const { exitCode } = await run([EXECUTABLE, "probe", probe, "kvm", "7", "host"], { env: { ONEVIRT_TREE: tree.root, ONEVIRT_TRACE: trace } });
    const lines = readFileSync(trace, "utf8").split("\n");
    expect({ exitCode, traced: lines.length > 1, spawned: lines.filter((line) => / process \d/.test(line)) }).toEqual({ exitCode: 0, traced: true, spawned: [] });
  });

  test("with shell code in kvmrc: bash, once", async () => {
    using tree = new ExecutableTree({ kvmrc: 'X=test\nif true; then LIBVIRT_URI="$X:///default"; fi\n' });
    expect(await count(tree, "reset", ["test"])).toBe(1);
  });
});

describe("the module of the time series", () => {
  /** Modules of the runtime that it compiles, which it prints when it is asked to. */
  const loaded = (text: string) => ["node:fs", "bun:sqlite"].filter((name) => text.includes(`${name}#`));
  const env = (tree: ExecutableTree) => ({ ONEVIRT_TREE: tree.root, BUN_JSC_dumpGeneratedBytecodes: "1" });

  test.each([["reset", ["test"]], ["deploy", ["FILE", "h", "7", "h"]]])("is not loaded by %s: it would take 3 ms of its start", async (action, args) => {
    using tree = new ExecutableTree();
    const { exitCode, stdout, stderr } = await tree.run(action, args.map((each) => each.replace("FILE", tree.deploymentFile)), { env: env(tree), stdin: testDomain() });
    expect({ exitCode, loaded: loaded(stdout + stderr) }).toEqual({ exitCode: 0, loaded: ["node:fs"] });
  });

  test("is loaded by who keeps a series", async () => {
    using tree = new ExecutableTree();
    // Not among the series of this host; a checkout in /var/tmp would be hidden too.
    const kept = 'mount --bind "$1" /mnt; shift; mount -t tmpfs tmpfs /var/tmp; /mnt/onevirt "$@" && head -c 15 /var/tmp/one_db/host.db';
    const { exitCode, stdout, stderr } = await run(["unshare", "-m", "sh", "-ec", kept, "sh", dirname(EXECUTABLE), "probe", "host/monitor/linux_usage", "kvm", "7", "host"], { env: env(tree) });
    expect({ exitCode, loaded: loaded(stdout + stderr), kept: stdout.endsWith("SQLite format 3") }).toEqual({ exitCode: 0, loaded: ["node:fs", "bun:sqlite"], kept: true });
  });
});

describe("npm run build", () => {
  test("gives the same bytes again", async () => {
    const before = Bun.hash(await Bun.file(EXECUTABLE).bytes());
    const { exitCode } = await run([process.execPath, "scripts/build.ts"], { cwd: join(import.meta.dir, "../.."), env: { HOME: tmpdir() } });
    expect({ exitCode, same: Bun.hash(await Bun.file(EXECUTABLE).bytes()) === before }).toEqual({ exitCode: 0, same: true });
  }, 60_000);
});
