// The passes of monitoring against the bare calls: as fresh processes, and as the agent makes them, in a process that stays. As oneadmin.
import { rmSync } from "node:fs";
import { QUIET } from "../../src/cli/agent-start.ts";
import { contextOf, findTree, readGeneration, readSettings, type Surroundings } from "../../src/context.ts";
import { DEFAULT_DATASTORE_LOCATION, DEFAULT_PERIODS } from "../../src/core/monitor-configuration.ts";
import { FileState } from "../../src/host/state.ts";
import { BufferedSeries } from "../../src/host/series-buffer.ts";
import { SeriesDatabases } from "../../src/host/series.ts";
import { probes } from "../../src/probes/table.ts";
import { agent } from "./host-agent.ts";
import { compete, measure, median, type Row } from "./rows.ts";

const EXECUTABLE = "/var/tmp/one/onevirt/onevirt-x86_64";
const FLOOR = "/var/tmp/one/onevirt-floor";
const URI = "qemu:///system";
const DOMSTATS = { name: "virsh domstats", command: ["virsh", "-c", URI, "domstats", "--state", "--cpu-total", "--balloon", "--interface", "--block"] };
const ROUNDS = 15;
const STATE = "/tmp/onevirt-bench-state";

/** Passes before those that count: the compiler needs some, and the agent makes thousands. */
const WARM_UP = 40;

/** Fresh processes, and passes in a process that stays, each beside one of what it is compared with. */
export async function monitor(): Promise<readonly Row[]> {
  const fresh = (how: string, promised?: number) => compete("monitor", [{ name: `onevirt probe vm/status/state (${how})`, command: [EXECUTABLE, "probe", "vm/status/state"], against: { name: "C, bulk states", command: [FLOOR, URI, "state"] }, promised }], ROUNDS);
  const inside = passesAsInTheAgent(); // before there is an agent: one that has just ended is not far enough away
  const alone = fresh("no agent");
  agent("start");
  const state = [...fresh("agent running", 2), ...alone];
  agent("stop");
  return [...state, ...inside];
}

/** A runtime takes its settings when it starts. */
function passesAsInTheAgent(): readonly Row[] {
  const { stdout } = Bun.spawnSync([process.execPath, process.argv[1] ?? "", "passes"], { env: { ...process.env, ...QUIET }, stderr: "inherit" });
  return JSON.parse(stdout.toString()) as Row[];
}

/** The passes of an agent, in this process. */
export async function passes(): Promise<readonly Row[]> {
  const { settings, surroundings } = await open();
  rmSync(STATE, { recursive: true, force: true }); // what other parts have left there are VMs that are looked for in vain
  const opened = contextOf(settings, surroundings, { readOnly: false, limitSeconds: null });
  const context = { ...opened, state: new FileState(STATE, opened.files), series: new BufferedSeries(new SeriesDatabases("/tmp/onevirt-bench-series")) };
  const pass = async (name: "vm/status/state" | "vm/monitor/poll", periods = DEFAULT_PERIODS) => (await probes[name].load()).run({ driver: "kvm", hostId: 2001, hostName: "hosta", configuration: { datastoreLocation: DEFAULT_DATASTORE_LOCATION, periods } }, { ...context, deadline: context.deadline.within(60) });
  return [
    await ownTime("state pass inside the agent", () => pass("vm/status/state"), 2),
    await ownTime("state pass that says and writes all, one in 36", () => pass("vm/status/state", { ...DEFAULT_PERIODS, SYNC_STATE_VM: 0 })),
    ...(await beside(() => pass("vm/monitor/poll"))),
  ];
}

async function open() {
  const tree = findTree({ ONEVIRT_TREE: "/var/tmp/one" }, "");
  const surroundings: Surroundings = { tree, trace: undefined, tracer: undefined, generation: readGeneration(tree), log: { log: () => undefined } };
  return { surroundings, settings: (await readSettings(surroundings)).settings };
}

/** Processor time of all threads of this process, state database included; the promise is in ms, so its ratio is against one. */
async function ownTime(name: string, work: () => Promise<unknown>, promised?: number): Promise<Row> {
  const times: number[] = [];
  for (let round = -WARM_UP; round < ROUNDS * 3; round++) {
    await Bun.sleep(50);
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    if (round >= 0) times.push((user + system) / 1000);
  }
  const ms = median(times);
  return { area: "monitor", name, medianMs: ms, cpuMs: ms, against: "1 ms of own processor", ratio: ms, promised };
}

/** The statistics pass, and virsh after each. */
async function beside(work: () => Promise<unknown>): Promise<readonly Row[]> {
  const ours: { readonly ms: number; readonly cpuMs: number }[] = [];
  const theirs: { readonly ms: number; readonly cpuMs: number }[] = [];
  for (let round = -3; round < ROUNDS; round++) {
    await Bun.sleep(1000); // two samples of the processor closer than a second would make it wait for a third
    const start = performance.now();
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    const mine = { ms: performance.now() - start, cpuMs: (user + system) / 1000 };
    const other = measure(DOMSTATS.command);
    if (round >= 0) ours.push(mine), theirs.push(other);
  }
  const middle = (all: typeof ours) => ({ medianMs: median(all.map(({ ms }) => ms)), cpuMs: median(all.map(({ cpuMs }) => cpuMs)) });
  const [mine, other] = [middle(ours), middle(theirs)];
  return [
    { area: "monitor", name: DOMSTATS.name, ...other },
    { area: "monitor", name: "statistics pass inside the agent", ...mine, against: DOMSTATS.name, ratio: mine.medianMs / other.medianMs, promised: 0.7 },
  ];
}
