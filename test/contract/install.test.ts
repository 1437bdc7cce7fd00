// `onevirt remotes install`, `uninstall` and `status` on a false packaged tree, with the built executable, as root (issue 2, item 7).
import { beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { actions } from "../../src/actions/table.ts";
import { EXECUTABLE, ONEADMIN, PACKAGED_ACTIONS, PackagedTree, run, runAsOneadmin } from "./packaged-tree.ts";

const OUR_EXECUTABLE = `onevirt/onevirt-${process.arch === "arm64" ? "aarch64" : "x86_64"}`;
const installed = (): PackagedTree => {
  const tree = new PackagedTree();
  expect(tree.remotes("install")).toMatchObject({ code: 0, err: "" });
  return tree;
};

beforeAll(() => {
  if (process.getuid?.() !== 0) throw new Error("Cannot test the installation: it gives files to another user, so this test needs root");
  if (!existsSync(EXECUTABLE)) expect(run(["npm", "run", "-s", "build"], { cwd: join(import.meta.dir, "../..") })).toMatchObject({ code: 0 });
}, 300_000);

describe("remotes install", () => {
  test("adds executable, launchers and settings, as the tree's owner may read them, and changes nothing else", () => {
    using tree = new PackagedTree();
    const before = tree.snapshot();
    const { code, out } = tree.remotes("install");
    const after = tree.snapshot();
    expect({ code, syncs: out.includes("onehost sync --force") }).toEqual({ code: 0, syncs: true });
    const added = Object.keys(after).filter((path) => !(path in before));
    expect(added).toEqual(["onevirt", OUR_EXECUTABLE, "onevirt/onevirt.conf", "vmm/kvm/poll", ...PACKAGED_ACTIONS.map((name) => `vmm/kvm/upstream-${name}`).sort()]);
    const changed = Object.keys(before).filter((path) => after[path] !== before[path]);
    expect(changed).toEqual(PACKAGED_ACTIONS.map((name) => `vmm/kvm/${name}`).sort());
    const owners = [...added, ...changed].map((path) => after[path]?.split(" ").slice(0, 2).join(" "));
    expect([...new Set(owners)].sort()).toEqual(["100640 9869:9869", "100750 9869:9869", "40750 9869:9869"]);
  });

  test("installs the executable that runs, with the time of the installation (R18)", () => {
    const start = Date.now() - 1000;
    using tree = installed();
    expect(run(["cmp", EXECUTABLE, join(tree.path, OUR_EXECUTABLE)]).code).toBe(0);
    expect(statSync(join(tree.path, OUR_EXECUTABLE)).mtimeMs).toBeGreaterThan(start);
    expect(runAsOneadmin([join(tree.path, OUR_EXECUTABLE), "version"]).code).toBe(0);
  });

  test("lets the owner of the tree run upstream's command of onehost sync without an error", () => {
    using tree = installed();
    const host = join(tree.top, "host");
    mkdirSync(host);
    chownSync(host, ONEADMIN.uid, ONEADMIN.gid);
    // Step 2 of install-and-sync 6.3, to a directory of this machine.
    expect(runAsOneadmin(["sh", "-c", `exec 2>/dev/null; cd '${tree.path}'/ && rsync -LRaz --delete . '${host}'/`]).code).toBe(0);
    expect(tree.snapshot(host)).toEqual(tree.snapshot());
  }, 60_000);

  test("--dry-run says what would change and changes nothing", () => {
    using tree = new PackagedTree();
    const before = tree.identities(tree.top);
    const { code, out } = tree.remotes("install", "--dry-run");
    expect(code).toBe(0);
    expect(out).toContain("Nothing was changed.");
    for (const { script } of Object.values(actions)) expect(out).toContain(script);
    expect(tree.identities(tree.top)).toEqual(before);
  });

  test("changes nothing the second time", () => {
    using tree = installed();
    const before = tree.identities(tree.top);
    const { code, out } = tree.remotes("install");
    expect({ code, out }).toEqual({ code: 0, out: "Nothing to do: onevirt is installed.\n" });
    expect(tree.identities(tree.top)).toEqual(before);
  });

  test("keeps what it replaces outside of the tree, with mode, owner and time, and tells in a manifest", () => {
    using tree = new PackagedTree();
    const before = tree.snapshot();
    tree.remotes("install");
    const kept = tree.snapshot(join(tree.backup, "originals"));
    for (const name of PACKAGED_ACTIONS) expect(kept[`vmm/kvm/${name}`]).toBe(before[`vmm/kvm/${name}`]);
    const manifest = JSON.parse(readFileSync(join(tree.backup, "manifest.json"), "utf8"));
    expect(manifest.files.find(({ path }: { path: string }) => path === "vmm/kvm/deploy")).toMatchObject({
      ours: { mode: 0o750, uid: 9869, gid: 9869, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      original: { mode: 0o750, uid: 9869, gid: 9869, mtimeNs: "1720000000123456789", sha256: before["vmm/kvm/deploy"]?.split(" ")[2] },
    });
    expect(statSync(tree.backup).mode & 0o777).toBe(0o700);
  });

  test("keeps a settings file that the administrator edited", () => {
    using tree = installed();
    tree.write("onevirt/onevirt.conf", "LIMIT_DEPLOY=30\n");
    expect(tree.remotes("install")).toMatchObject({ code: 0 });
    expect(tree.read("onevirt/onevirt.conf")).toBe("LIMIT_DEPLOY=30\n");
    expect(tree.remotes("status")).toMatchObject({ code: 0, out: expect.stringMatching(/onevirt\.conf +edited/) });
  });

  test("comes back after an upgrade of OpenNebula, and takes the new originals (R7)", () => {
    using tree = installed();
    tree.write("vmm/kvm/deploy", "#!/bin/bash\necho newer deploy\n", 0o750);
    tree.write("vmm/kvm/cancel", tree.read("vmm/kvm/upstream-cancel"), 0o750);
    tree.write("VERSION", "7.2.0\n");
    const upgraded = tree.snapshot();
    expect(tree.remotes("status")).toMatchObject({ code: 1, out: expect.stringMatching(/deploy +overwritten/) });
    expect(tree.remotes("install")).toMatchObject({ code: 0 });
    expect(tree.remotes("status").code).toBe(0);
    expect([tree.read("vmm/kvm/deploy"), tree.read("vmm/kvm/upstream-deploy")]).toEqual([tree.read("vmm/kvm/shutdown"), "#!/bin/bash\necho newer deploy\n"]);
    expect(tree.remotes("uninstall").code).toBe(0);
    const after = tree.snapshot();
    expect([after["vmm/kvm/deploy"], after["vmm/kvm/cancel"], after.VERSION]).toEqual([upgraded["vmm/kvm/deploy"], upgraded["vmm/kvm/cancel"], upgraded.VERSION]);
  });

  test("replaces an executable that runs, and the old one goes on", async () => {
    using tree = installed();
    const path = join(tree.path, OUR_EXECUTABLE);
    rmSync(path);
    copyFileSync("/bin/sleep", path);
    chmodSync(path, 0o755);
    const old = Bun.spawn([path, "60"]);
    const inode = statSync(path).ino;
    expect(tree.remotes("install")).toMatchObject({ code: 0 });
    expect(statSync(path).ino).not.toBe(inode);
    expect(old.exitCode).toBeNull();
    old.kill();
    await old.exited;
  });

  test("puts owner and mode right again", () => {
    using tree = installed();
    chownSync(join(tree.path, "vmm/kvm/deploy"), 0, 0);
    chmodSync(join(tree.path, "onevirt/onevirt.conf"), 0o600);
    expect(tree.remotes("status")).toMatchObject({ code: 1, out: expect.stringMatching(/deploy +wrong owner or mode/) });
    expect(tree.remotes("install")).toMatchObject({ code: 0, out: expect.stringMatching(/deploy +renewed/) });
    expect(tree.remotes("status").code).toBe(0);
  });

  test("keeps a copy of a launcher that somebody edited", () => {
    using tree = installed();
    tree.write("vmm/kvm/deploy", `${tree.read("vmm/kvm/deploy")}# my own line\n`, 0o750);
    const { code, out } = tree.remotes("install");
    const kept = /your changed version is kept in (.*)/.exec(out)?.[1] ?? "";
    expect({ code, kept: readFileSync(kept, "utf8").endsWith("# my own line\n"), now: tree.read("vmm/kvm/deploy") }).toEqual({ code: 0, kept: true, now: tree.read("vmm/kvm/cancel") });
  });

  test("removes what an installation left that was cut off", () => {
    using tree = installed();
    tree.write("vmm/kvm/.onevirt-new-0123abcd", "half a file");
    linkSync(join(tree.path, "vmm/kvm/deploy"), join(tree.path, "vmm/kvm/.onevirt-old-0123abcd"));
    expect(tree.remotes("install")).toMatchObject({ code: 0 });
    expect(tree.names().filter((path) => path.includes(".onevirt"))).toEqual([]);
  });

  test("works as the owner of the tree, without root", () => {
    using tree = new PackagedTree();
    chownSync(tree.top, ONEADMIN.uid, ONEADMIN.gid);
    const before = tree.snapshot();
    const own = join(tree.top, "onevirt");
    copyFileSync(EXECUTABLE, own);
    chmodSync(own, 0o755);
    expect(runAsOneadmin([own, "remotes", "install", "--tree", tree.path])).toMatchObject({ code: 0, err: "" });
    expect(tree.snapshot()["vmm/kvm/deploy"]).toMatch(/^100750 9869:9869 /);
    expect(tree.remotes("uninstall")).toMatchObject({ code: 1, err: expect.stringContaining("it belongs to uid 9869") }); // root trusts nobody's manifest
    expect(runAsOneadmin([own, "remotes", "uninstall", "--tree", tree.path])).toMatchObject({ code: 0, err: "" });
    expect(tree.snapshot()).toEqual(before);
  });

  test("finds the tree of a self-contained OpenNebula by ONE_LOCATION", () => {
    using tree = new PackagedTree();
    mkdirSync(join(tree.top, "var"));
    renameSync(tree.path, join(tree.top, "var/remotes"));
    const { code, out } = run([EXECUTABLE, "remotes", "install", "--dry-run"], { env: { PATH: "/usr/bin:/bin", ONE_LOCATION: tree.top } });
    expect({ code, where: out.split("\n")[0] }).toEqual({ code: 0, where: `In ${tree.top}/var/remotes, this would change:` });
  });
});

describe("remotes install leaves everything as it was when", () => {
  const refusals: [string, (tree: PackagedTree) => readonly string[] | void, RegExp][] = [
    ["an action is a symbolic link", (tree) => linked(tree, "vmm/kvm/deploy", join(tree.top, "victim")), /"[^"]*vmm\/kvm\/deploy": it is a symbolic link/],
    ["the place of the executable is a symbolic link", (tree) => (mkdirSync(join(tree.path, "onevirt")), linked(tree, OUR_EXECUTABLE, join(tree.top, "victim"))), /it is a symbolic link/],
    ["the directory of the actions is a symbolic link", (tree) => (renameSync(join(tree.path, "vmm/kvm"), join(tree.top, "kvm")), linked(tree, "vmm/kvm", join(tree.top, "kvm"))), /symbolic link/],
    ["our directory is a symbolic link out of the tree", (tree) => (mkdirSync(join(tree.top, "elsewhere")), linked(tree, "onevirt", join(tree.top, "elsewhere"))), /symbolic link/],
    ["our directory is a file", (tree) => tree.write("onevirt", "a file\n"), /onevirt": it is a symbolic link, or no directory/],
    ["an action is a hard link to a file of root", (tree) => (rmSync(join(tree.path, "vmm/kvm/deploy")), linkSync(join(tree.top, "victim"), join(tree.path, "vmm/kvm/deploy"))), /it has 2 names \(hard links\)/],
    ["an action is a FIFO", (tree) => (rmSync(join(tree.path, "vmm/kvm/deploy")), void run(["mkfifo", join(tree.path, "vmm/kvm/deploy")])), /it is no regular file/],
    ["the owner of the tree cannot read an action", (tree) => chownSync(join(tree.path, "vmm/kvm/deploy"), 0, 0), /uid 9869, cannot read it \(chown/],
    ["the tree is a symbolic link", (tree) => (symlinkSync(tree.path, join(tree.top, "link")), ["--tree", join(tree.top, "link")]), /symbolic link/],
    ["the tree is no remotes tree", (tree) => rmSync(join(tree.path, "VERSION")), /it is no remotes tree: there is no VERSION/],
    ["the tree is absent", (tree) => ["--tree", join(tree.top, "none")], /there is no ".*none"/],
    ["the backup is in the tree", (tree) => ["--backup", join(tree.path, "backup")], /travels to every host/],
    ["the backup is the tree", (tree) => ["--backup", tree.path], /travels to every host/],
    ["the backup is a symbolic link", (tree) => (mkdirSync(join(tree.top, "elsewhere")), symlinkSync(join(tree.top, "elsewhere"), tree.backup)), /symbolic link/],
    ["the backup belongs to somebody else", (tree) => (mkdirSync(tree.backup), chownSync(tree.backup, 9869, 9869)), /it belongs to uid 9869/],
    ["others may write to the backup", (tree) => (mkdirSync(tree.backup), chmodSync(tree.backup, 0o777)), /others may write to it/],
    ["the backup is another tree's", (tree) => (mkdirSync(tree.backup, { mode: 0o700 }), writeFileSync(join(tree.backup, "manifest.json"), '{"version":1,"tree":"/x","installedAt":"x","build":{"version":"1","buildId":"1"},"directories":[],"files":[]}')), /it belongs to the tree "\/x"/],
    ["the manifest leaves the tree", (tree) => (mkdirSync(tree.backup, { mode: 0o700 }), writeFileSync(join(tree.backup, "manifest.json"), `{"version":1,"tree":"${tree.path}","installedAt":"x","build":{"version":"1","buildId":"1"},"directories":["../victim"],"files":[]}`)), /a directory is not a path in the tree/],
    ["the tree is named without --tree", (tree) => [tree.path], /only options are expected/],
    ["an option is unknown", () => ["--force"], /unknown option "--force"/],
  ];
  test.each(refusals)("%s", (_what, prepare, message) => {
    using tree = new PackagedTree();
    writeFileSync(join(tree.top, "victim"), "secret of root\n", { mode: 0o600 });
    const options = prepare(tree) ?? [];
    const before = tree.identities(tree.top);
    const { code, out, err } = run([EXECUTABLE, "remotes", "install", ...(options.includes("--tree") ? [] : ["--tree", tree.path]), ...options]);
    expect({ code: code === 0, out, lines: err.trim().split("\n").length }).toEqual({ code: false, out: "", lines: 1 });
    expect(err).toMatch(/^Cannot /);
    expect(err).toMatch(message);
    expect(tree.identities(tree.top)).toEqual(before);
  });

  test("its disk is full", () => {
    const mount = mkdtempSync(join(tmpdir(), "onevirt-small-"));
    expect(run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", mount]).code).toBe(0);
    try {
      mkdirSync(join(mount, "one"));
      using tree = new PackagedTree(join(mount, "one"));
      const before = tree.fileIdentities(tree.top);
      const { code, err } = tree.remotes("install");
      expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^Cannot write ".*": no space left on the device\n$/) });
      expect(tree.fileIdentities(tree.top)).toEqual(before);
      expect(readdirSync(tree.top)).toEqual(["remotes"]);
    } finally {
      run(["umount", mount]);
      rmSync(mount, { recursive: true });
    }
  });

  test("another installation is at work", () => {
    using tree = new PackagedTree();
    const before = tree.identities(tree.top);
    expect(run(["flock", tree.path, EXECUTABLE, "remotes", "install", "--tree", tree.path])).toMatchObject({ code: 1, err: expect.stringContaining("another installation is working on it") });
    expect(tree.identities(tree.top)).toEqual(before);
  });

  test.each([40, 100, 160, 220])("SIGTERM comes after %d ms; or everything is done", async (milliseconds) => {
    using tree = new PackagedTree();
    const before = tree.snapshot();
    await interrupted(tree, milliseconds, "SIGTERM");
    const isDone = existsSync(tree.backup);
    if (isDone) expect(tree.remotes("install").out).toBe("Nothing to do: onevirt is installed.\n");
    else expect(tree.snapshot()).toEqual(before);
  });

  test.each([60, 110, 140, 170, 200])("SIGKILL comes after %d ms; or the next run mends it", async (milliseconds) => {
    using tree = new PackagedTree();
    const before = tree.snapshot();
    await interrupted(tree, milliseconds, "SIGKILL");
    expect(tree.remotes("install").code).toBe(0);
    expect(tree.remotes("status").code).toBe(0);
    expect(tree.remotes("uninstall").code).toBe(0);
    expect(tree.snapshot()).toEqual(before);
    expect(readdirSync(tree.top)).toEqual(["remotes"]);
  });

  test("it runs as somebody else, or as an owner who may not write", () => {
    using tree = new PackagedTree();
    const own = join(tree.top, "onevirt");
    copyFileSync(EXECUTABLE, own);
    chmodSync(own, 0o755);
    chownSync(tree.top, ONEADMIN.uid, ONEADMIN.gid);
    chmodSync(tree.path, 0o755);
    const stranger = run(["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", own, "remotes", "install", "--tree", tree.path]);
    expect(stranger).toMatchObject({ code: 1, err: expect.stringContaining("Cannot ") });
    chmodSync(join(tree.path, "vmm/kvm"), 0o550);
    const before = tree.snapshot(); // replaced and put back: the same content, owners and times
    expect(runAsOneadmin([own, "remotes", "install", "--tree", tree.path])).toMatchObject({ code: 1, err: expect.stringContaining("permission denied") });
    expect(tree.snapshot()).toEqual(before);
    expect(existsSync(tree.backup)).toBe(false);
  });
});

describe("remotes without a directory after its option", () => {
  const calls = ["install", "uninstall", "status"].flatMap((verb) => [[verb, "--tree"], [verb, "--tree="], [verb, "--tree", ""], [verb, "--tree", "--backup"], [verb, "--backup"], [verb, "--backup="]]);
  test.each(calls)("refuses %s %s %p", (...words) => {
    // In a namespace of its own: a defect here must not reach a tree of this machine.
    const { code, out, err } = run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", 'mount -t tmpfs tmpfs /var/lib; exec "$@"', "sh", EXECUTABLE, "remotes", ...words.filter((word) => word !== undefined)], { env: { PATH: "/usr/bin:/bin" } });
    expect({ code, out, err }).toEqual({ code: 2, out: "", err: expect.stringMatching(/^Cannot use --(tree|backup): it is followed by no directory\n$/) });
  });
});

describe("remotes uninstall", () => {
  test("leaves the tree byte for byte as it was, and nothing else", () => {
    using tree = new PackagedTree();
    const before = tree.snapshot();
    tree.remotes("install");
    expect(tree.remotes("uninstall")).toMatchObject({ code: 0, err: "", out: expect.stringContaining("onehost sync --force") });
    expect(tree.snapshot()).toEqual(before);
    expect(readdirSync(tree.top)).toEqual(["remotes"]);
    expect(tree.remotes("uninstall")).toMatchObject({ code: 0, out: "Nothing to do: onevirt is not installed.\n" });
  });

  test("restores odd owners, modes and files of the same name too", () => {
    using tree = new PackagedTree();
    chmodSync(join(tree.path, "vmm/kvm/deploy"), 0o2755);
    chownSync(join(tree.path, "vmm/kvm/cancel"), 0, 9869);
    chmodSync(join(tree.path, "vmm/kvm/cancel"), 0o755);
    tree.write("vmm/kvm/upstream-deploy", "somebody's own file\n");
    tree.write("vmm/kvm/poll", "#!/usr/bin/env ruby\n", 0o755);
    const before = tree.snapshot();
    expect(tree.remotes("install")).toMatchObject({ code: 0, err: "" });
    expect(tree.remotes("uninstall")).toMatchObject({ code: 0, err: "" });
    expect(tree.snapshot()).toEqual(before);
  });

  test("--dry-run changes nothing", () => {
    using tree = installed();
    const before = tree.identities(tree.top);
    expect(tree.remotes("uninstall", "--dry-run")).toMatchObject({ code: 0, out: expect.stringMatching(/deploy +restored\n[^]*Nothing was changed/) });
    expect(tree.identities(tree.top)).toEqual(before);
  });

  test("leaves what OpenNebula upgraded since, and files of others", () => {
    using tree = installed();
    tree.write("vmm/kvm/deploy", "#!/bin/bash\necho newer deploy\n", 0o750);
    tree.write("onevirt/mine", "a note\n");
    const { code, out } = tree.remotes("uninstall");
    expect({ code, deploy: tree.read("vmm/kvm/deploy"), ours: tree.names().filter((path) => path.startsWith("onevirt") || path.includes("upstream-")) }).toEqual({
      code: 0, deploy: "#!/bin/bash\necho newer deploy\n", ours: ["onevirt", "onevirt/mine"],
    });
    expect(out).toMatch(/deploy +left: OpenNebula upgraded it/);
    expect(out).toMatch(/onevirt +left: it is not empty/);
  });

  test("keeps what the administrator edited outside of the tree", () => {
    using tree = new PackagedTree();
    const before = tree.snapshot();
    tree.remotes("install");
    tree.write("onevirt/onevirt.conf", "LIMIT_DEPLOY=30\n");
    tree.write("vmm/kvm/deploy", `${tree.read("vmm/kvm/deploy")}# my own line\n`, 0o750);
    const { code, out } = tree.remotes("uninstall");
    const kept = [...out.matchAll(/your changed version is kept in (.*)/g)].map(([, path = ""]) => readFileSync(path, "utf8"));
    expect({ code, conf: kept[0], launcher: kept[1]?.endsWith("# my own line\n") }).toEqual({ code: 0, conf: "LIMIT_DEPLOY=30\n", launcher: true });
    expect(tree.snapshot()).toEqual(before);
  });

  test("puts back what somebody removed", () => {
    using tree = new PackagedTree();
    const before = tree.snapshot();
    tree.remotes("install");
    rmSync(join(tree.path, "vmm/kvm/deploy"));
    rmSync(join(tree.path, "onevirt"), { recursive: true });
    expect(tree.remotes("uninstall").code).toBe(0);
    expect(tree.snapshot()).toEqual(before);
  });

  test("refuses when the backup is elsewhere, or was changed", () => {
    using tree = installed();
    const before = tree.fileIdentities();
    expect(tree.remotes("uninstall", "--backup", join(tree.top, "other"))).toMatchObject({ code: 1, err: expect.stringMatching(/^Cannot take onevirt out of .*: vmm\/kvm\/\w+ is a launcher, but .*other" does not hold what it replaced \(give the --backup/) });
    expect(tree.remotes("install", "--backup", join(tree.top, "other"))).toMatchObject({ code: 1, err: expect.stringMatching(/no manifest says which file it replaced/) });
    writeFileSync(join(tree.backup, "originals/vmm/kvm/deploy"), "changed");
    expect(tree.remotes("uninstall")).toMatchObject({ code: 1, err: expect.stringMatching(/was changed \(reinstall/) });
    expect(tree.fileIdentities()).toEqual(before);
  });

  test.each([["beside the tree", tmpdir()], ["on another file system", "/dev/shm"]])("uses a directory of --backup %s", (_where, top) => {
    using tree = new PackagedTree();
    const before = tree.snapshot();
    const backup = join(top, `onevirt kept ${process.pid}`);
    expect(tree.remotes("install", "--backup", backup).code).toBe(0);
    expect(existsSync(join(backup, "originals/vmm/kvm/deploy"))).toBe(true);
    expect(tree.remotes("uninstall", "--backup", backup).code).toBe(0);
    expect([tree.snapshot(), existsSync(backup)]).toEqual([before, false]);
  });
});

describe("remotes status", () => {
  test("--json tells what stands where", () => {
    using tree = installed();
    const { code, out } = tree.remotes("status", "--json");
    const { buildId } = JSON.parse(run([EXECUTABLE, "version", "--json"]).out) as { buildId: string };
    expect({ code, ...JSON.parse(out) }).toMatchObject({
      code: 0, version: 1, tree: tree.path, installed: true, backup: { path: tree.backup, state: "in use" }, build: { this: buildId, tree: buildId }, findings: [], wrong: false,
      files: expect.arrayContaining([{ path: "vmm/kvm/deploy", role: "launcher", state: "ours" }, { path: OUR_EXECUTABLE, role: "program", state: "ours" }]),
    });
  });

  test("of a tree without onevirt is not wrong", () => {
    using tree = new PackagedTree();
    expect(tree.remotes("status")).toMatchObject({ code: 0, out: expect.stringContaining("not installed") });
  });

  test("finds what makes every copy of the tree fail (R15)", () => {
    using tree = installed();
    symlinkSync("/nowhere", join(tree.path, "etc/dangling"));
    symlinkSync("VERSION", join(tree.path, "LINK"));
    mkdirSync(join(tree.path, "etc.2024"), { mode: 0o700 });
    writeFileSync(join(tree.path, "im/private"), "", { mode: 0o600 });
    const { code, out } = tree.remotes("status", "--json");
    const { findings } = JSON.parse(out) as { findings: { path: string; stops: boolean }[] };
    expect({ code, findings: findings.map(({ path, stops }) => [path, stops]) }).toEqual({ code: 1, findings: [["LINK", false], ["etc/dangling", true], ["etc.2024", true], ["im/private", true]] });
    expect(tree.remotes("install").err.split("\n").filter((line) => line.startsWith("Warning: "))).toHaveLength(4);
  });

  test("tells a missing launcher and another build", () => {
    using tree = installed();
    rmSync(join(tree.path, "vmm/kvm/deploy"));
    writeFileSync(join(tree.path, OUR_EXECUTABLE), "another build");
    const { code, out } = tree.remotes("status");
    expect({ code, out }).toMatchObject({ code: 1, out: expect.stringMatching(/another build[^]*deploy +missing[^]*onevirt remotes install/) });
    expect(out).toContain("unknown in the tree");
  });

  test("changes nothing, and works as the owner of the tree without the backup", () => {
    using tree = installed();
    const before = tree.identities(tree.top);
    expect(runAsOneadmin([join(tree.path, OUR_EXECUTABLE), "remotes", "status", "--tree", tree.path])).toMatchObject({ code: 0, err: "", out: expect.stringContaining("permission denied") });
    expect(tree.identities(tree.top)).toEqual(before);
  });
});

test("remotes write gives dist/remotes, byte for byte", () => {
  const directory = mkdtempSync(join(tmpdir(), "onevirt-write-"));
  const list = (top: string) => readdirSync(top, { recursive: true, encoding: "utf8" }).sort().map((path) => {
    const stat = lstatSync(join(top, path));
    return `${path} ${stat.mode.toString(8)} ${stat.isFile() ? new Bun.CryptoHasher("sha256").update(readFileSync(join(top, path))).digest("hex") : ""}`;
  });
  try {
    expect(run([EXECUTABLE, "remotes", "write", join(directory, "tree")]).code).toBe(0);
    expect(list(join(directory, "tree"))).toEqual(list(join(import.meta.dir, "../../dist/remotes")));
    expect(run([EXECUTABLE, "remotes", "write", directory]).err).toMatch(/^Cannot write the remotes tree to ".*": it is not empty/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

async function interrupted(tree: PackagedTree, milliseconds: number, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const child = Bun.spawn([EXECUTABLE, "remotes", "install", "--tree", tree.path], { stdio: ["ignore", "ignore", "ignore"] });
  const timer = setTimeout(() => child.kill(signal), milliseconds);
  await child.exited;
  clearTimeout(timer);
}

function linked(tree: PackagedTree, path: string, to: string): void {
  rmSync(join(tree.path, path), { force: true });
  symlinkSync(to, join(tree.path, path));
}
