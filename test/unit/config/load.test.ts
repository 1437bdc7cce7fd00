import { describe, expect, test } from "bun:test";
import { defaultSettings } from "../../../src/core/settings.ts";
import { loadSettings, requireSettings } from "../../../src/config/load.ts";
import { describeOrigin } from "../../../src/config/raw.ts";
import { ACTIONS, HOST_OWN, KVMRC, OWN, load, noBash, sources } from "./fixture.ts";

describe("loadSettings()", () => {
  test("loadSettings() without any file gives the defaults", async () => {
    expect(await load()).toEqual({ settings: defaultSettings(), origins: new Map(), problems: [] });
  });

  test("loadSettings() gives a kvmrc's values with their lines", async () => {
    const { settings, origins } = await load("# x\nexport LIBVIRT_URI=qemu:///session\nMIGRATE_OPTIONS='--unsafe  --verbose'\nFORCE_DESTROY=yes # really\n");
    const { LIBVIRT_URI, MIGRATE_OPTIONS, FORCE_DESTROY } = settings.kvmrc;
    expect({ LIBVIRT_URI, MIGRATE_OPTIONS, FORCE_DESTROY }).toEqual({ LIBVIRT_URI: "qemu:///session", MIGRATE_OPTIONS: ["--unsafe", "--verbose"], FORCE_DESTROY: true });
    expect(["LIBVIRT_URI", "FORCE_DESTROY", "SYNC_TIME"].map((name) => describeOrigin(origins.get(name)))).toEqual([`${KVMRC}:2`, `${KVMRC}:4`, "default"]);
  });

  test("loadSettings() is not moved by the environment of the process", async () => {
    process.env.LIBVIRT_URI = "xen:///";
    process.env.LOCK_DIRECTORY = "/nowhere";
    try {
      expect((await load("LANG=C\n")).settings).toEqual(defaultSettings());
    } finally {
      delete process.env.LIBVIRT_URI;
      delete process.env.LOCK_DIRECTORY;
    }
  });

  test("loadSettings() freezes what it gives", async () => {
    const { settings } = await load("LIBVIRT_URI=a\n", "LIMIT_DEPLOY=5\n");
    expect([settings, settings.kvmrc, settings.onevirt, settings.limits].map((part) => Object.isFrozen(part))).toEqual([true, true, true, true]);
  });

  test.each([
    ["", 3],
    ["VIRSH_RETRIES=7", 7],
    ["VIRSH_RETRIES=0", 1],
    ["VIRSH_RETRIES=7\nVIRSH_TRIES=5", 5],
    ["VIRSH_RETRIES=7\nVIRSH_TRIES=0", 7],
    ["VIRSH_RETRIES=7\nVIRSH_TRIES=many", 7],
    ["VIRSH_TRIES=", 3],
  ])("loadSettings() of %j tries a migration that often: %d", async (text, tries) => {
    expect((await load(text)).settings.kvmrc.VIRSH_TRIES).toBe(tries);
  });

  test("loadSettings() lets the host's onevirt.conf override the tree's", async () => {
    const { settings, origins } = await load(undefined, "LOCK_DIRECTORY=/a\nLIMIT_ATTACH_DISK=60\nLIMIT_DEPLOY=10", "LIMIT_ATTACH_DISK=none\n");
    expect([settings.onevirt.LOCK_DIRECTORY, settings.limits]).toEqual(["/a", { deploy: 10, attach_disk: null }]);
    expect([origins.get("LOCK_DIRECTORY"), origins.get("LIMIT_ATTACH_DISK")]).toEqual([{ path: OWN, line: 1 }, { path: HOST_OWN, line: 1 }]);
  });

  test("loadSettings() never hands onevirt.conf to a shell", async () => {
    expect(await load(undefined, "A=1\nLOCK_DIRECTORY=$HOME\n").catch((error: unknown) => error)).toMatchObject({
      code: "BAD_CONFIG",
      message: `Cannot read "${OWN}" line 2: expected NAME=value without shell expansions or commands`,
    });
  });

  test("loadSettings() does not take an unreadable kvmrc for a missing one", async () => {
    const unreadable = { kvmrc: { path: KVMRC, unreadable: "permission denied" }, own: [] };
    expect(await loadSettings(unreadable, ACTIONS, noBash).catch((error: unknown) => error)).toMatchObject({
      code: "BAD_CONFIG",
      message: `Cannot read "${KVMRC}": permission denied`,
      hint: "make oneadmin its owner, with mode 0640, on the front-end, and run onehost sync",
    });
  });

  test("loadSettings() reads a file like the shipped one in well under a millisecond", async () => {
    const shipped = sources(`${"# A comment about the variable that follows, as long as those are\n".repeat(120)}${"export LIBVIRT_URI=qemu:///system\n#DEFAULT_ATTACH_IO=\nSHUTDOWN_TIMEOUT=180\n".repeat(10)}`);
    for (let warm = 0; warm < 200; warm++) await loadSettings(shipped, ACTIONS, noBash);
    const batches: number[] = []; // one of them has the machine for itself
    for (let batch = 0; batch < 5; batch++) {
      const started = performance.now();
      for (let round = 0; round < 50; round++) await loadSettings(shipped, ACTIONS, noBash);
      batches.push((performance.now() - started) / 50);
    }
    expect(Math.min(...batches)).toBeLessThan(1); // measured: see README.md
  });
});

describe("requireSettings()", () => {
  test("requireSettings() stops the action that reads a bad value, with file and line", async () => {
    const loaded = await load("\nSHUTDOWN_TIMEOUT=soon\n");
    expect(() => requireSettings(loaded, "shutdown", ["LIBVIRT_URI", "SHUTDOWN_TIMEOUT"])).toThrow(
      expect.objectContaining({ code: "BAD_CONFIG", message: `Cannot read SHUTDOWN_TIMEOUT in "${KVMRC}" line 2: expected a whole number, found "soon"` }),
    );
  });

  test("requireSettings() lets an action go on that does not read the bad value", async () => {
    const loaded = await load("SHUTDOWN_TIMEOUT=soon\n", "LIMIT_SHUTDOWN=x\nPOLL_MONITOR_SECONDS=x\nNO_SUCH_NAME=1\n");
    expect(requireSettings(loaded, "deploy", ["LIBVIRT_URI"])).toBe(loaded.settings);
  });

  test.each([
    ["shutdown", "LIMIT_SHUTDOWN=soon"],
    ["attach_disk", "LIMIT_ATTACH_DISK=0"],
    ["shutdown", "LOCK_DIRECTORY=here"],
    ["shutdown", "VGPU_HELPER=vgpu"],
  ])("requireSettings() stops %s because of %s in onevirt.conf", async (action, text) => {
    const loaded = await load(undefined, text);
    expect(() => requireSettings(loaded, action, [])).toThrow(expect.objectContaining({ code: "BAD_CONFIG" }));
  });

  test("requireSettings() stops a reader of VIRSH_TRIES because of the VIRSH_RETRIES it stands for", async () => {
    const loaded = await load("VIRSH_RETRIES=few\n");
    expect(() => requireSettings(loaded, "migrate", ["VIRSH_TRIES"])).toThrow(`Cannot read VIRSH_RETRIES in "${KVMRC}" line 1: expected a whole number, found "few"`);
  });

  test.each(["", "qemu:///a b", "qemu:///system\r"])("requireSettings() refuses the LIBVIRT_URI %j", async (uri) => {
    const loaded = await load(`LIBVIRT_URI='${uri}'\n`);
    expect(() => requireSettings(loaded, "deploy", ["LIBVIRT_URI"])).toThrow(expect.objectContaining({ code: "BAD_CONFIG" }));
  });
});
