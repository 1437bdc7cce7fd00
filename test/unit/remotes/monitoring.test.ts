import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
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

  test("monitoringFiles() has each probe for both drivers, in one tree or the other", () => {
    const paths = (["monitord", "collectd"] as const).map((monitor) => new Set(monitoringFiles(monitor).map(({ path }) => path)));
    expect([...(paths[0] ?? [])].filter((path) => paths[1]?.has(path))).toEqual([]);
    expect((paths[0]?.size ?? 0) + (paths[1]?.size ?? 0)).toBe(2 * (Object.keys(probes).length + 2));
  });
});

describe("install() of monitoring in a tree of 5.x", () => {
  const [CLIENT, POLL] = ["im/kvm.d/collectd-client_control.sh", "im/kvm-probes.d/poll.sh"];
  beforeEach(() => {
    rmSync(join(places.tree, "im"), { recursive: true });
    write("VERSION", "5.10.1\n");
    for (const path of [CLIENT, POLL]) write(path, `#!/bin/sh\necho "$(basename "$0") of upstream $*"\n`);
  });

  test("install() takes the files of the tree's own generation, and uninstall() gives back every one", () => {
    const before = readdirSync(places.tree, { recursive: true, encoding: "utf8" }).sort();
    install(places, program, { monitoring: true });
    const states = [isLauncher(read(CLIENT)), isLauncher(read(POLL)), existsSync(join(places.tree, CONTROL)), existsSync(join(places.tree, "im/qemu-probes.d/kvm.rb")), statusOf(places, program).wrong];
    uninstall(places);
    expect([states, readdirSync(places.tree, { recursive: true, encoding: "utf8" }).sort(), read(POLL)] as unknown[]).toEqual([[true, true, false, true, false], before, '#!/bin/sh\necho "$(basename "$0") of upstream $*"\n']);
  });

  test("install() refuses a generation that is not the tree's, by its version", () => {
    expect(() => install(places, program, { monitoring: true, monitor: "monitord" })).toThrow(`Cannot install the files for OpenNebula 5.12 and later into "${places.tree}": its VERSION says 5.10.1`);
    write("VERSION", "7.0.1\n");
    expect(() => install(places, program, { monitor: "collectd" })).toThrow(`Cannot install the files for OpenNebula 5.x into "${places.tree}": its VERSION says 7.0.1`);
    expect(existsSync(join(places.tree, "onevirt"))).toBe(false);
  });

  test("install() after an upgrade to 7.x follows it, and does not bring the files of 5.x back that went with it", () => {
    install(places, program, { monitoring: true });
    write("VERSION", "7.0.1\n");
    for (const path of [CLIENT, POLL]) rmSync(join(places.tree, path));
    write(CONTROL, "#!/bin/sh\n");
    install(places, program);
    const left = readdirSync(join(places.tree, "im"), { recursive: true, encoding: "utf8" }).filter((path) => /collectd|poll\.sh|kvm\.rb/.test(path));
    expect([left, isLauncher(read(CONTROL)), isLauncher(read(STATE)), statusOf(places, program).wrong] as unknown[]).toEqual([[], true, true, false]);
  });

  test("the launcher hands over a probe of the flat directory, and the control of the client", async () => {
    install(places, program, { monitoring: true });
    expect([await call(POLL, "kvm-probes", "/d"), await call(CLIENT, "kvm", "/d"), await call(CLIENT, "stop")]).toEqual(["remotes probe collectd/poll.sh kvm-probes /d\n<XML/>", "remotes collectd start kvm /d\n<XML/>", "remotes collectd stop\n<XML/>"]);
  });

  test("the launcher runs upstream's control under its own name, because that finds the client by it", async () => {
    install(places, program, { monitoring: true });
    const off = await run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", 'mount -t tmpfs tmpfs /etc; mkdir /etc/onevirt; touch /etc/onevirt/off; cd "$1"; exec ./collectd-client_control.sh stop "a b"', "sh", dirname(join(places.tree, CLIENT))]);
    expect(off).toEqual({ exitCode: 0, stdout: "collectd-client_control.sh of upstream stop a b\n", stderr: "" });
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

  test("the launcher asks the allocator to keep memory for a probe, never for the agent, which lives for weeks", async () => {
    install(places, program, { monitoring: true });
    writeFileSync(join(places.tree, executablePath(process.arch)), '#!/bin/sh\nprintf "%s %s" "$MIMALLOC_PURGE_DELAY" "$MIMALLOC_ALLOW_THP"\n');
    expect([(await run([join(places.tree, STATE)])).stdout, (await run([join(places.tree, CONTROL), "kvm", "9", "h"])).stdout]).toEqual(["-1 0", " "]);
  });

  test("the launcher says what is missing when there is no executable", async () => {
    install(places, program, { monitoring: true });
    rmSync(join(places.tree, executablePath(process.arch)));
    const { exitCode, stderr } = await run([join(places.tree, STATE)]);
    expect([exitCode, stderr] as unknown[]).toEqual([1, expect.stringMatching(/^Cannot run state\.rb: onevirt-\S+, the executable for this machine, is missing/)]);
  });
});
