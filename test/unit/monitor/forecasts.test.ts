import { describe, expect, test } from "bun:test";
import type { CommandResult, Commands, SeriesOwner } from "../../../src/core/ports.ts";
import { forecastsOf, type ForecastWish, forgetForecasts, makeForecast } from "../../../src/monitor/forecasts.ts";
import { readSeriesSettings } from "../../../src/monitor/series.ts";
import { FakeProcesses } from "../../fakes/host.ts";
import { given } from "../../fakes/world.ts";
import { settled } from "../agent/clock.ts";
import { runProbe } from "../probes/run.ts";

const PROGRAM = "/var/tmp/one/im/lib/python/prediction.sh";
const CONF = "/var/tmp/one/etc/im/kvm-probes.d/forecast.conf";
const NEAR: ForecastWish = { near: true, farSeconds: undefined, intervalSeconds: 30 };
const HOST = { kind: "host", id: 0 } as const;
const vm = (id: number): SeriesOwner => ({ kind: "virtualmachine", id });
const vms = (count: number) => Array.from({ length: count }, (_, index) => vm(index + 1));

/** The program that makes forecasts: who it ran for, and how many of it at most at once. A text is what it prints, an error how it fails, undefined that it hangs. */
class Program implements Commands {
  readonly owners: string[] = [];
  readonly at: number[] = [];
  inside = 0;
  most = 0;

  constructor(
    private readonly now: () => number,
    public does: (owner: string) => string | Error | Partial<CommandResult> | undefined,
  ) {}

  async run(argv: readonly string[]): Promise<CommandResult> {
    const owner = /^--entity (\w+,\d+),u,\/var\/tmp\/one_db$/.exec(argv.slice(1).join(" "))?.[1] ?? argv.join(" ");
    this.owners.push(owner);
    this.at.push(this.now() / 1000);
    this.most = Math.max(this.most, ++this.inside);
    const result = this.does(owner);
    if (result === undefined) return new Promise(() => undefined);
    this.inside--;
    if (result instanceof Error) throw result;
    return { exitCode: 0, stderr: "", stdout: "", ...(typeof result === "string" ? { stdout: result } : result) };
  }
}

/** A host where the program is, and passes over its owners. */
function host(does: Program["does"] = () => "") {
  const world = given({ files: { [PROGRAM]: "" } });
  const program = new Program(() => world.clock.monotonicMs(), does);
  const ports = { ...world, commands: program };
  const ask = (owner: SeriesOwner, wish = NEAR) => forecastsOf(owner, "u", wish, ports);
  /** Passes over some owners, half a minute apart. */
  const passes = async (count: number, owners: readonly SeriesOwner[], wish: ForecastWish | ((owner: SeriesOwner) => ForecastWish) = NEAR) => {
    for (let pass = 0; pass < count; pass++) {
      for (const owner of owners) ask(owner, typeof wish === "function" ? wish(owner) : wish);
      makeForecast(ports);
      await settled();
      world.clock.pass(30_000);
    }
  };
  return { world, program, ports, ask, passes };
}

const keyOf = ({ kind, id }: SeriesOwner) => `${kind},${id}`;

describe("makeForecast()", () => {
  test("the first ten VMs had all the turns; now each of thirty, and the host, has one in each round", async () => {
    const { program, passes } = host();
    const all = [...vms(30), HOST];
    await passes(2 * all.length, all);
    expect({ first: program.owners.slice(0, all.length), second: program.owners.slice(all.length), most: program.most }).toEqual({ first: all.map(keyOf), second: all.map(keyOf), most: 1 });
  });

  test("a VM that comes later waits behind those that were there, and one that is gone has no turn", async () => {
    const { program, passes, ports } = host();
    await passes(1, vms(3));
    forgetForecasts("virtualmachine", new Set([1, 3, 4]), ports);
    await passes(3, [vm(4), vm(1), vm(3)]);
    expect(program.owners).toEqual(["virtualmachine,1", "virtualmachine,3", "virtualmachine,4"]);
  });

  test("one owner alone has a new forecast after five minutes, not in every pass", async () => {
    const { program, passes } = host();
    await passes(25, [vm(1)]);
    expect(program.at).toEqual([0, 330, 660]);
  });

  test("passes that are a little early have their turn, and two categories that pass together have one", async () => {
    const { world, program, ask, ports } = host();
    for (let pass = 0; pass < 4; pass++) {
      for (const owner of [...vms(3), HOST]) ask(owner);
      makeForecast(ports);
      await settled();
      makeForecast(ports);
      world.clock.pass(29_800);
    }
    expect(program.owners).toEqual(["virtualmachine,1", "virtualmachine,2", "virtualmachine,3", "host,0"]);
  });

  test("a program that hangs is waited for by nobody, and never runs twice", async () => {
    const { program, passes, ask } = host(() => undefined);
    await passes(5, vms(3));
    expect([program.owners, program.most, ask(vm(1))]).toEqual([["virtualmachine,1"], 1, []] as unknown[] as [string[], number, []]);
  });

  test("points that wait are in the file of the owner before the program reads it", async () => {
    const { world, passes } = host();
    await passes(2, vms(2));
    expect(world.series.flushed).toEqual(["virtualmachine 1", "virtualmachine 2"]);
  });

  test("without the program nothing is written or run", async () => {
    const { world, program, passes } = host();
    world.files.remove(PROGRAM);
    await passes(3, vms(2));
    expect([program.owners, world.series.flushed]).toEqual([[], []]);
  });
});

describe("forecastsOf()", () => {
  test("what is no forecast is dropped", async () => {
    const { passes, ask } = host(() => 'CPU_FORECAST="1.5"\nMEMORY_FORECAST_FAR="-2"\nCPU="7"\nNETRX_BW="3.0"\nX_FORECAST="nan"\nY_FORECAST="1" ]\nTraceback (most recent call last):\n"\nOID_FORECAST=3\nZ_FORECAST="1"OID="4"\n');
    await passes(1, [vm(1)]);
    expect(ask(vm(1))).toEqual([["CPU_FORECAST", "1.5"], ["MEMORY_FORECAST_FAR", "-2"]]);
  });

  test("one that could not be renewed is told until it is 15 minutes old, and the reason is said once", async () => {
    let turns = 0;
    const { world, passes, ask } = host(() => (turns++ === 0 ? 'CPU_FORECAST="1"' : { exitCode: 1, stdout: 'CPU_FORECAST="2"', stderr: "No module named numpy\n" }));
    await passes(30, [vm(1)]);
    const before = ask(vm(1));
    world.clock.pass(30_000);
    expect([before, ask(vm(1)), world.log.lines]).toEqual([[["CPU_FORECAST", "1"]], [], [`WARN: No forecasts of virtualmachine,1: ${PROGRAM} ended with 1: No module named numpy`]]);
  });

  test("the forecast of a VM that is gone meanwhile is nobody's", async () => {
    const { world, ports, ask } = host(() => 'CPU_FORECAST="1"');
    ask(vm(1));
    makeForecast(ports);
    forgetForecasts("virtualmachine", new Set(), ports);
    await settled();
    expect([ask(vm(1)), world.log.lines]).toEqual([[], []]);
  });
});

describe("far forecasts", () => {
  const FAR: ForecastWish = { near: false, farSeconds: 600, intervalSeconds: 30 }; // twenty slots
  const slot = (seconds: number) => (Math.floor(Date.parse("2026-01-02T03:04:05Z") / 1000 + seconds + 0.5) / 30) | 0;

  test("alone they never ran the program; now once for each VM in a period, in its own slot", async () => {
    const { program, passes } = host();
    await passes(40, vms(15), FAR);
    expect([new Set(program.owners).size, program.owners.length, program.owners.map((owner, turn) => slot(program.at[turn] ?? 0) % 20 === Number(owner.split(",")[1]) % 20)]).toEqual([15, 30, Array(30).fill(true)]);
  });

  test("their slot goes first, so that none is missed for the forecasts of the next minutes", async () => {
    const { program, passes } = host();
    await passes(100, vms(15), { near: true, farSeconds: 3000, intervalSeconds: 30 }); // a hundred slots, all of them once
    const inSlot = program.owners.filter((owner, turn) => slot(program.at[turn] ?? 0) % 100 === Number(owner.split(",")[1]) % 100);
    expect(new Set(inSlot).size).toBe(15);
  });

  test("somebody who is always in a slot keeps nobody else waiting for more than two rounds after it was due", async () => {
    const { program, passes } = host();
    await passes(60, [...vms(5), HOST], (owner) => (owner.kind === "host" ? NEAR : { near: true, farSeconds: 30, intervalSeconds: 30 }));
    expect(program.owners.filter((owner) => owner === "host,0").length).toBeGreaterThanOrEqual(2);
  });

  test.each([
    ["forecast: { enabled: false }\n  forecast_far: { enabled: true, period: 2880 }", { near: false, farSeconds: 172_800 }],
    ["forecast: { enabled: true, period: 5 }\n  forecast_far: { enabled: false, period: 2880 }", { near: true, farSeconds: undefined }],
    ["forecast: { enabled: no }\n  forecast_far: { enabled: off }", { near: false, farSeconds: undefined }],
    ["db_retention: 4", { near: true, farSeconds: 900 }],
  ])("forecast.conf with %j is read as the program reads it", (text, wish) => {
    expect(readSeriesSettings("virtualmachine", given({ files: { [CONF]: `virtualmachine:\n  ${text}\n` } }))).toEqual({ keepSeconds: 4 * 7 * 86_400, ...wish });
  });
});

test("forecasts of a VM and of its host are in the reports of the passes that follow, and the newest point of a pass is in the file", async () => {
  const uuid = "aaaaaaaa-0001-4000-8000-000000000000";
  using world = given({ domains: [{ name: "one-1", uuid }], limitSeconds: 10_000, files: { [PROGRAM]: "", [CONF]: "" } });
  Object.assign(world, { processes: new FakeProcesses() });
  const line = (owner: string) => `${PROGRAM} --entity ${owner},/var/tmp/one_db`;
  const points = () => world.series.points.get("virtualmachine 1 netrx")?.length;
  const seen: unknown[] = [];
  world.commands.on(line(`virtualmachine,1,${uuid}`), () => (seen.push(points()), { stdout: 'CPU_FORECAST="12.5"\n' })).on(line("host,3,node1"), { stdout: 'USEDCPU_FORECAST="7.0"\n' });
  world.hypervisor.end(uuid);
  world.hypervisor.put({ name: "one-1", uuid, fields: { "net.count": 0, "block.count": 0 } });
  await runProbe("vm/monitor/poll", world);
  world.clock.pass(30_000);
  await runProbe("host/monitor/prediction", world);
  await settled();
  const [vmText, hostText] = [await runProbe("vm/monitor/poll", world), await runProbe("host/monitor/prediction", world)];
  expect([seen, Buffer.from(/MONITOR="([^"]*)"/.exec(vmText)?.[1] ?? "", "base64").toString(), hostText]).toEqual([[1], expect.stringContaining('CPU_FORECAST="12.5"'), 'USEDCPU_FORECAST="7.0"\n']);
});
