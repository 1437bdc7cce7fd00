// Monitoring of simulated VMs, `test:///` from a file: its time grows no faster than their number.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contextOf, readGeneration, readSettings, type Surroundings } from "../../src/context.ts";
import { DEFAULT_DATASTORE_LOCATION, DEFAULT_PERIODS } from "../../src/core/monitor-configuration.ts";
import { probes } from "../../src/probes/table.ts";
import { median, type Row } from "./rows.ts";

const ROUNDS = 15;

export async function bench(): Promise<readonly Row[]> {
  const [few, many] = [await passes(100), await passes(1000)];
  return [
    { area: "simulated", name: "state pass of 100 simulated VMs", medianMs: few },
    { area: "simulated", name: "state pass of 1,000", medianMs: many, against: "of 100", ratio: many / few, promised: 12 },
  ];
}

/** The median of a complete report of all states. */
async function passes(count: number): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "onevirt-simulated-"));
  try {
    await Bun.write(join(directory, "node.xml"), `<node>${Array.from({ length: count }, (_, index) => domain(index)).join("")}</node>`);
    await Bun.write(join(directory, "etc/vmm/kvm/kvmrc"), `LIBVIRT_URI=test://${directory}/node.xml\n`);
    await Bun.write(join(directory, "onevirt/onevirt.conf"), `LOCK_DIRECTORY=${directory}/locks\nSTATE_DIRECTORY=${directory}/state\n`);
    return await timed(directory, count);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function timed(tree: string, count: number): Promise<number> {
  const surroundings: Surroundings = { tree, trace: undefined, tracer: undefined, generation: readGeneration(tree), log: { log: () => undefined } };
  using context = contextOf((await readSettings(surroundings)).settings, surroundings, { readOnly: false, limitSeconds: null });
  const { run } = await probes["vm/status/state"].load();
  const times: number[] = [];
  for (let round = -10; round < ROUNDS; round++) {
    const start = performance.now();
    // Each with an identity of its own, so that nothing is remembered and everything is said.
    const text = await run({ driver: "kvm", hostId: round + 1000, hostName: "h", configuration: { datastoreLocation: DEFAULT_DATASTORE_LOCATION, periods: DEFAULT_PERIODS } }, context);
    if (text.split("VM = [").length - 1 !== count) throw new Error(`${count} VMs expected: ${text.slice(0, 200)}`);
    if (round >= 0) times.push(performance.now() - start);
  }
  return median(times);
}

function domain(index: number): string {
  const uuid = `11111111-2222-4333-8444-${String(index).padStart(12, "0")}`;
  return `<domain type='test'><name>one-${index}</name><uuid>${uuid}</uuid><memory>1024</memory><os><type>hvm</type></os></domain>`;
}
