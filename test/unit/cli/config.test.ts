import { describe, expect, test } from "bun:test";
import { LIMIT, OWN, VARIABLES } from "../../../src/core/settings.ts";
import { checkConfig, configCommand, showConfig, type ConfigInput } from "../../../src/cli/config.ts";
import { ACTIONS, KVMRC, noBash, OWN as OWN_PATH, sources } from "../config/fixture.ts";

const input = (kvmrc?: string, own?: string): ConfigInput => ({ sources: sources(kvmrc, own), actionNames: ACTIONS, runBash: noBash });

describe("showConfig()", () => {
  test("showConfig() lists every setting with value, unit, place and meaning", async () => {
    const { text, exitCode } = await showConfig(input("FORCE_DESTROY=yes\nMIGRATE_OPTIONS='--a --b'\n", "LIMIT_DEPLOY=none\n"), false);
    expect(exitCode).toBe(0);
    for (const name of [...Object.keys(VARIABLES), ...Object.keys(OWN)]) expect(text).toContain(`${name} = `);
    for (const line of [
      `FORCE_DESTROY = yes  (${KVMRC}:1)\n  ${VARIABLES.FORCE_DESTROY.about}`,
      "SHUTDOWN_TIMEOUT = 120 s  (default)",
      `MIGRATE_OPTIONS = '--a --b'  (${KVMRC}:2)`,
      "DEFAULT_ATTACH_READ_BYTES_SEC = ''  (default)",
      `LIMIT_DEPLOY = none  (${OWN_PATH}:1)\n  ${LIMIT.about}`,
    ])
      expect(text).toContain(line);
  });

  test("showConfig() shows the default of a value that cannot be used, and why", async () => {
    const { text } = await showConfig(input("SHUTDOWN_TIMEOUT=soon\n"), false);
    expect(text).toContain(`SHUTDOWN_TIMEOUT = 120 s  (${KVMRC}:1)\n  unusable: expected a whole number, found "soon"\n`);
  });

  test("showConfig() gives programs a version and typed values", async () => {
    const { text } = await showConfig(input("SHUTDOWN_TIMEOUT=30\n"), true);
    const { version, files, settings } = JSON.parse(text);
    expect([version, files, settings.find(({ name }: { name: string }) => name === "SHUTDOWN_TIMEOUT")]).toEqual([
      1,
      [KVMRC],
      { file: "kvmrc", name: "SHUTDOWN_TIMEOUT", value: 30, origin: { path: KVMRC, line: 1 }, unit: "s", about: VARIABLES.SHUTDOWN_TIMEOUT.about },
    ]);
  });

  test("showConfig() fails for a file that cannot be read", async () => {
    const unreadable = { ...input(), sources: { kvmrc: { path: KVMRC, unreadable: "permission denied" }, own: [] } };
    expect(await showConfig(unreadable, false).catch((error: unknown) => error)).toMatchObject({ code: "BAD_CONFIG" });
  });
});

describe("checkConfig()", () => {
  test("checkConfig() fails only because of errors", async () => {
    expect(await checkConfig(input("FORCE_DESTROY=on\n"), false)).toEqual({
      text: `warning  ${KVMRC}:1  FORCE_DESTROY: only yes switches it on, found "on"\nChecked ${KVMRC}: errors 0, warnings 1, notices 0`,
      exitCode: 0,
    });
    expect(await checkConfig(input("LIBVIRT_URI=\n"), false)).toMatchObject({ exitCode: 1 });
  });

  test("checkConfig() says that there is nothing to check", async () => {
    expect(await checkConfig(input(), false)).toEqual({ text: "No configuration file found, every setting has its default: errors 0, warnings 0, notices 0", exitCode: 0 });
  });

  test("checkConfig() gives programs a version", async () => {
    const { text } = await checkConfig(input("FORCE_DESTROY=on\n"), true);
    expect(JSON.parse(text)).toEqual({
      version: 1,
      files: [KVMRC],
      findings: [{ severity: "warning", name: "FORCE_DESTROY", path: KVMRC, line: 1, text: 'only yes switches it on, found "on"' }],
    });
  });
});

test("configCommand has the commands show and check", () => {
  expect(Object.keys(configCommand.subCommands ?? {})).toEqual(["show", "check"]);
});

test("onevirt.conf as shipped sets nothing and names every setting with its default, or an example where there is none", async () => {
  const text = await Bun.file("remotes/onevirt/onevirt.conf").text();
  expect(text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))).toEqual([]);
  for (const [name, row] of Object.entries(OWN)) expect(text).toContain(`\n#${name}=${row.default}${row.default === "" ? "" : "\n"}`);
});
