import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isLauncher } from "../../../src/core/launcher.ts";
import { probes } from "../../../src/probes/table.ts";
import { install } from "../../../src/remotes/install.ts";
import { monitoringFiles } from "../../../src/remotes/monitoring.ts";
import type { Places } from "../../../src/remotes/places.ts";
import { programFrom, type Program } from "../../../src/remotes/program.ts";
import { statusOf } from "../../../src/remotes/status.ts";
import { executablePath } from "../../../src/remotes/tree.ts";
import { uninstall } from "../../../src/remotes/uninstall.ts";
import { run } from "../../support/executable-tree.ts";

const [CONTROL, STATE, RUN] = ["im/kvm.d/monitord-client_control.sh", "im/kvm-probes.d/vm/status/state.rb", "im/run_monitord_client"];

let top: string;
let places: Places;
let program: Program;

beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), "onevirt-monitoring-")));
  places = { tree: join(top, "remotes"), backup: join(top, "backup") };
  write("VERSION", "7.0.1\n");
  mkdirSync(join(places.tree, "vmm/kvm"), { recursive: true });
  for (const path of [CONTROL, STATE, RUN]) write(path, `#!/bin/sh\necho "upstream ${path} $*"\n`);
  writeFileSync(join(top, "program"), "#!/bin/sh\necho \"$(basename \"$ONEVIRT_TREE\") $*\"; cat\n");
  program = programFrom(join(top, "program"), { version: "0.1.0", buildId: "one" }, process.arch);
});
afterEach(() => rmSync(top, { recursive: true }));

function write(path: string, text: string): void {
  const target = join(places.tree, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
  chmodSync(target, 0o755);
}
const read = (path: string) => readFileSync(join(places.tree, path), "utf8");
const call = async (path: string, ...args: string[]) => (await run([join(places.tree, path), ...args], { stdin: "<XML/>" })).stdout;

describe("install() of monitoring", () => {
  test("install() leaves monitoring alone unless it is asked to take it over; then it keeps it, and gives it back", () => {
    const states = [];
    for (const monitoring of [undefined, true, undefined, false, undefined]) {
      install(places, program, { monitoring });
      states.push(isLauncher(read(CONTROL)) && isLauncher(read(STATE)) && existsSync(join(places.tree, "im/qemu.d")));
      expect({ wrong: statusOf(places, program).wrong, run: isLauncher(read(RUN)) }).toEqual({ wrong: false, run: false });
    }
    expect([states, read(STATE)] as unknown[]).toEqual([[false, true, true, false, false], `#!/bin/sh\necho "upstream ${STATE} $*"\n`]);
  });

  test("install() keeps upstream's scripts where nobody runs them as probes, and uninstall() takes all back", () => {
    install(places, program, { monitoring: true });
    const copies = [CONTROL, STATE].map((path) => statSync(join(places.tree, dirname(path), `upstream-${path.split("/").at(-1)}`)).mode & 0o777);
    uninstall(places);
    expect([copies, read(CONTROL), statSync(join(places.tree, CONTROL)).mode & 0o777, existsSync(join(places.tree, "im/qemu-probes.d"))] as unknown[]).toEqual([[0o640, 0o640], `#!/bin/sh\necho "upstream ${CONTROL} $*"\n`, 0o755, false]);
  });

  test("install() takes over monitoring alone, and refuses to take over nothing", () => {
    install(places, program, { actions: false, monitoring: true });
    expect([statusOf(places, program).parts, existsSync(join(places.tree, "vmm/kvm/deploy")), isLauncher(read(CONTROL))] as unknown[]).toEqual([{ actions: false, monitoring: true }, false, true]);
    expect(() => install(places, program, { monitoring: false })).toThrow("Cannot install neither actions nor monitoring");
    expect(isLauncher(read(CONTROL))).toBe(true);
  });

  test("monitoringFiles() has each probe for both drivers", () => {
    const paths = new Set(monitoringFiles().map(({ path }) => path));
    expect(paths.size).toBe(2 * (Object.keys(probes).length + 1));
  });
});

describe("the launcher of monitoring", () => {
  test("the launcher hands over a probe by its place, and the control as start or stop, with stdin", async () => {
    install(places, program, { monitoring: true });
    expect(existsSync(join(places.tree, executablePath(process.arch)))).toBe(true);
    expect([await call(STATE, "kvm", "9", "h"), await call(CONTROL, "kvm", "9", "h"), await call(CONTROL, "stop", "kvm", "9", "h")]).toEqual(["remotes probe vm/status/state.rb kvm 9 h\n<XML/>", "remotes agent start kvm 9 h\n<XML/>", "remotes agent stop kvm 9 h\n<XML/>"]);
  });

  test("the launcher finds its tree from a relative name, as run_monitord_client calls it", async () => {
    install(places, program, { monitoring: true });
    const { stdout } = await run(["./monitord-client_control.sh", "kvm", "9", "h"], { cwd: dirname(join(places.tree, CONTROL)) });
    expect(stdout).toBe("remotes agent start kvm 9 h\n");
  });

  test("the launcher says what is missing when there is no executable", async () => {
    install(places, program, { monitoring: true });
    rmSync(join(places.tree, executablePath(process.arch)));
    const { exitCode, stderr } = await run([join(places.tree, STATE)]);
    expect([exitCode, stderr] as unknown[]).toEqual([1, expect.stringMatching(/^Cannot run state\.rb: onevirt-\S+, the executable for this machine, is missing/)]);
  });
});
