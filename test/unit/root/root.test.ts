import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OnevirtError } from "../../../src/core/errors.ts";
import type { Caller } from "../../../src/root/caller-files.ts";
import { SUDOERS, VIRTIOFSD } from "../../../src/root/place.ts";
import { backupTpm, recoverTpm } from "../../../src/root/tpm-state.ts";
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
