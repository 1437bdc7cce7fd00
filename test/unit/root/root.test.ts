import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OnevirtError } from "../../../src/core/errors.ts";
import type { Caller } from "../../../src/root/caller-files.ts";
import { SUDOERS, VIRTIOFSD } from "../../../src/root/place.ts";
import { logicalLines, readSudoers } from "../../../src/root/sudoers-lines.ts";
import { backupTpm, recoverTpm } from "../../../src/root/tpm-state.ts";
import { treeGrants } from "../../../src/root/tree-grants.ts";
import { vgpu } from "../../../src/root/vgpu.ts";

const UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
let place = "";
const at = (...parts: readonly string[]) => join(place, ...parts);
const caller: Caller = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, as: (work) => work() };

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "onevirt-root-"));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

function file(path: string, text = ""): string {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}
const codeOf = (work: () => unknown) => {
  try {
    work();
    return "done";
  } catch (error) {
    return error instanceof OnevirtError ? `${error.code}: ${error.message.replaceAll(place, "")}` : error;
  }
};
const outcomeOf = (work: Promise<unknown>) => work.then(() => "done", (error: unknown) => (error instanceof OnevirtError ? `${error.code}: ${error.message.replaceAll(place, "")}` : error));

const pci = (values: Readonly<Record<string, string>>) => `<PCI>${Object.entries({ DOMAIN: "0000", BUS: "3b", SLOT: "00", FUNCTION: "4", UUID, ...values }).map(([name, value]) => `<${name}><![CDATA[${value}]]></${name}>`).join("")}</PCI>`;
const document = (...devices: readonly string[]) => file(at("vm.xml"), `<VM><TEMPLATE><PCI><VENDOR>x</VENDOR></PCI>${devices.join("")}</TEMPLATE></VM>`);
const run = (task: "create" | "delete") => vgpu(task, at("vm.xml"), at("sys"), () => undefined);

describe("vgpu", () => {
  const type = () => at("sys/class/mdev_bus/0000:3b:00.4/mdev_supported_types/nvidia-35");

  test("vgpu makes a mediated device of the profile, and gives it back", async () => {
    file(join(type(), "create"));
    document(pci({ PROFILE: "nvidia-35 (GRID)" }));
    await run("create");
    file(join(type(), "devices", UUID, "remove"));
    await run("delete");
    expect([readFileSync(join(type(), "create"), "utf8"), readFileSync(join(type(), "devices", UUID, "remove"), "utf8")]).toEqual([UUID, "1"]);
  });

  test("vgpu takes the first profile when none is named", async () => {
    file(join(type(), "create"));
    document(pci({}));
    await run("create");
    expect(readFileSync(join(type(), "create"), "utf8")).toBe(UUID);
  });

  test("vgpu of a virtual function writes its type, and only one that it offers", async () => {
    const device = at("sys/bus/pci/devices/0000:3b:00.4/nvidia");
    file(join(device, "creatable_vgpu_types"), "ID : vGPU Name\n557 : NVIDIA A2-1B\n");
    file(join(device, "current_vgpu_type"), "0");
    document(pci({ MDEV_MODE: "nvidia" }));
    await run("create");
    const made = readFileSync(join(device, "current_vgpu_type"), "utf8");
    document(pci({ MDEV_MODE: "nvidia", PROFILE: "1" }));
    const refused = await outcomeOf(run("create"));
    await run("delete");
    expect([made, refused, readFileSync(join(device, "current_vgpu_type"), "utf8").startsWith("0")]).toEqual(["557", "NOT_SUPPORTED: Profile '1' not supported by vGPU", true]);
  });

  test("vgpu names a device that is not there", async () => {
    document(pci({}));
    expect(await outcomeOf(run("create"))).toBe("FILE_FAILED: Directory '/sys/class/mdev_bus/0000:3b:00.4' does not exist");
  });

  const hostile: [string, string][] = [["DOMAIN", "../.."], ["BUS", "3b/../x"], ["SLOT", "$(id)"], ["FUNCTION", "9"], ["UUID", "../../../../etc/passwd"], ["PROFILE", "../../x"], ["PROFILE", ".."], ["PROFILE", "/etc"]];
  test.each(hostile)("17.1 row 10: vgpu refuses %s %j, and writes nothing", async (name, value) => {
    file(join(type(), "create"));
    document(pci({ [name]: value }));
    expect([String(await outcomeOf(run("create"))).startsWith("BAD_INPUT"), readFileSync(join(type(), "create"), "utf8")]).toEqual([true, ""]);
  });

  test.each([["a relative path", "vm.xml"], ["a way out", "/var/../etc/shadow"]])("17.1 row 10: vgpu refuses %s", async (_what, path) => {
    expect(String(await outcomeOf(vgpu("create", path, at("sys"), () => undefined))).split(":")[0]).toBe("BAD_ARGUMENT");
  });

  test("17.1 row 10: vgpu follows no link to the document, and reads no device", async () => {
    file(at("real.xml"), "<VM/>");
    symlinkSync(at("real.xml"), at("vm.xml"));
    mkdirSync(at("dir"));
    expect([await outcomeOf(run("create")), await outcomeOf(vgpu("create", "/dev/null", at("sys"), () => undefined))]).toEqual(['FILE_FAILED: Cannot read "/vm.xml": it is a link', 'FILE_FAILED: Cannot read "/dev/null": it is not a regular file']);
  });
});

describe("vtpm_setup", () => {
  const state = (name: string) => at("swtpm", UUID, "tpm2", name);
  const kept = () => at("vm/tpm/tpm2-00.permall");

  beforeEach(() => mkdirSync(at("swtpm")));

  test("vtpm_setup recovers and backs up the state, for its owner alone", () => {
    file(kept(), "state");
    recoverTpm(UUID, at("vm"), caller, at("swtpm"));
    const modes = [state("tpm2-00.permall"), state(".lock"), at("swtpm", UUID, "tpm2"), at("swtpm", UUID)].map((path) => statSync(path).mode & 0o777);
    writeFileSync(state("tpm2-00.permall"), "newer");
    backupTpm(UUID, at("vm"), caller, at("swtpm"));
    expect([modes, readFileSync(kept(), "utf8"), statSync(kept()).mode & 0o777]).toEqual([[0o600, 0o640, 0o700, 0o711], "newer", 0o600]);
  });

  test("vtpm_setup has nothing to recover without a kept state", () => {
    mkdirSync(at("vm"));
    recoverTpm(UUID, at("vm"), caller, at("swtpm"));
    expect(existsSync(at("swtpm", UUID))).toBe(false);
  });

  test.each(["../x", "a; rm -rf /", "", UUID.slice(1)])("17.1 row 10: vtpm_setup refuses the UUID %j", (uuid) => {
    expect([String(codeOf(() => recoverTpm(uuid, at("vm"), caller, at("swtpm")))).split(":")[0], String(codeOf(() => backupTpm(uuid, at("vm"), caller, at("swtpm")))).split(":")[0]]).toEqual(["BAD_ARGUMENT", "BAD_ARGUMENT"]);
  });

  test("17.1 row 10: vtpm_setup follows no link, neither when it reads nor when it writes", () => {
    const secret = file(at("secret"), "secret");
    mkdirSync(at("vm/tpm"), { recursive: true });
    symlinkSync(secret, kept());
    const read = codeOf(() => recoverTpm(UUID, at("vm"), caller, at("swtpm")));
    file(state("tpm2-00.permall"), "state");
    backupTpm(UUID, at("vm"), caller, at("swtpm"));
    expect([read, readFileSync(secret, "utf8"), readFileSync(kept(), "utf8")]).toEqual(['FILE_FAILED: Cannot read "/vm/tpm/tpm2-00.permall": it is a link', "secret", "state"]);
  });
});

describe("the root-owned copy", () => {
  test("17.1 row 10: sudo is told of nothing that oneadmin can write", () => {
    expect([...SUDOERS.matchAll(/\/\S+/g)].map(([path]) => path.replace(/,$/, "")).filter((path) => !/^\/usr\/lib\/onevirt\/(vgpu|vtpm_setup)$/.test(path))).toEqual([]);
  });

  test("virtiofsd.sh keeps its process and hands no word to a shell", () => {
    expect([...VIRTIOFSD.matchAll(/^.*"\$@".*$/gm)].every(([line]) => /exec .*"\$@"/.test(line)) && !/eval|su -|-c /.test(VIRTIOFSD)).toBe(true);
  });
});

describe("sudoers of others", () => {
  const grants = (text: string) => treeGrants(logicalLines("/etc/sudoers", text));

  test("17.1 row 10: the lines of OpenNebula's packages that let root run what oneadmin can write are named, with those that use them", () => {
    const main = file(at("sudoers"), `Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n@includedir ${at("sudoers.d")}\n`);
    file(at("sudoers.d/opennebula"), [
      "Defaults:oneadmin secure_path = /sbin:/bin:/usr/sbin:/usr/bin", "", "Cmnd_Alias ONE_LVM = /usr/sbin/lvcreate", "Cmnd_Alias ONE_NET = /usr/sbin/nft, /var/tmp/one/vnm/tproxy, /usr/sbin/ethtool",
      "Cmnd_Alias ONE_VGPU = /var/tmp/one/vgpu", "Cmnd_Alias ONE_VTPM = /var/tmp/one/vtpm_setup", "# oneadmin ALL=(ALL) NOPASSWD: /var/tmp/one/vgpu", "",
    ].join("\n"));
    file(at("sudoers.d/opennebula-node-kvm"), "oneadmin ALL=(ALL:ALL) NOPASSWD: ONE_NET, ONE_LVM, ONE_VGPU, ONE_VTPM\n");
    file(at("sudoers.d/opennebula.rpmsave"), "oneadmin ALL=(ALL:ALL) NOPASSWD: /var/tmp/one/vgpu\n");
    const said = treeGrants(readSudoers(main)).map(({ text, mustGo }) => [text.replaceAll(at("sudoers.d"), ""), mustGo]);
    expect(said).toEqual([
      ["/opennebula line 4 lets root run /var/tmp/one/vnm/tproxy, which oneadmin can write: onevirt has nothing in its place; it can go where no virtual network needs it", false],
      ["/opennebula line 5 lets root run /var/tmp/one/vgpu, which oneadmin can write: it must go (visudo -f /opennebula), and its name from /opennebula-node-kvm line 1; root's own are in /usr/lib/onevirt", true],
      ["/opennebula line 6 lets root run /var/tmp/one/vtpm_setup, which oneadmin can write: it must go (visudo -f /opennebula), and its name from /opennebula-node-kvm line 1; root's own are in /usr/lib/onevirt; OpenNebula's backups, which call it too, then keep no newer TPM state", true],
    ]);
  });

  const open: [string, string][] = [
    ["without a name", "oneadmin ALL=(root) NOPASSWD: /bin/true, /var/tmp/one/vgpu"], ["for a user's number", "#9869 ALL=(root) NOPASSWD: /var/tmp/one/vgpu"], ["over two lines", "oneadmin ALL=(root) NOPASSWD: /bin/true, \\\n  /var/tmp/one/vgpu *"],
    ["for the whole tree", "oneadmin ALL=(root) NOPASSWD: /var/tmp/one/"], ["by a pattern", "oneadmin ALL=(root) NOPASSWD: /var/tmp/one/*"], ["through a name in a name", "Cmnd_Alias A = /var/tmp/one/vgpu : B = A"],
  ];
  test.each(open)("17.1 row 10: a line %s is found", (_how, text) => {
    expect(grants(`\n${text}\nCmnd_Alias USER = A\n`).map(({ text: said, mustGo }) => [said.startsWith("/etc/sudoers line 2 lets root run /var/tmp/one"), mustGo])).toEqual([[true, true]]);
  });

  const closed: [string, string][] = [
    ["a comment", "# oneadmin ALL=(root) NOPASSWD: /var/tmp/one/vgpu"], ["what is forbidden", "oneadmin ALL=(root) NOPASSWD: ALL, !/var/tmp/one/vgpu"], ["a name that nobody uses", "Cmnd_Alias ONE_VGPU = /var/tmp/one/vgpu\nDefaults!ONE_VGPU !requiretty"],
    ["a setting", "Defaults!/var/tmp/one/vgpu !requiretty"], ["another directory", "oneadmin ALL=(root) NOPASSWD: /var/tmp/one_db/x"], ["our own lines", SUDOERS],
  ];
  test.each(closed)("treeGrants() says nothing of %s", (_what, text) => {
    expect(grants(text)).toEqual([]);
  });

  test("readSudoers() follows includes of both forms, and ends where a file includes itself", () => {
    const main = file(at("sudoers"), `#include more\n@include "${at("absent")}"\n#includedir ${at("none")}\nlast\n`);
    file(at("more"), "first # a comment\n");
    const loop = file(at("loop"), "@include loop\nonce\n");
    expect([readSudoers(main).map(({ file: path, line, text }) => `${path.slice(place.length)}:${line} ${text.trim()}`), readSudoers(loop).length > 0]).toEqual([["/more:1 first", "/sudoers:4 last"], true]);
  });
});
