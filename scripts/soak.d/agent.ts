import { readdirSync, readFileSync } from "node:fs";
import { FrontEnd } from "../../test/support/front-end.ts";
import { lab, on } from "../../test/support/lab.ts";

const VMS = 100;
const MINUTES = 10;
const SAMPLE_MS = 10_000;

/** The start compiles and reads what is needed once; what is promised is the rest of its life. */
const WARM_UP_MS = 60_000;

/** Promises of the agent at rest. Flat: the most memory of the last third of the samples is no more than this above that of the first; of descriptors the fewest, since a sample may meet a pass at work. */
const MOST_CPU_PERCENT = 0.3;
const MOST_MIB = 70;
const FLAT_MIB = 2;
const TICKS_A_SECOND = 100;

interface Sample {
  readonly cpuSeconds: number;
  readonly residentMiB: number;
  readonly descriptors: number;
}

/** The agent beside 100 VMs at default periods: processor, memory and descriptors of the process, as /proc shows them. */
export async function agentAtRest(): Promise<void> {
  await lab("density", "hosta", String(VMS));
  await using front = await FrontEnd.open();
  const pid = await startAgent("7001", configuration(front.port, "7001", ""));
  try {
    await Bun.sleep(WARM_UP_MS);
    const samples = [sample(pid)];
    for (const end = performance.now() + MINUTES * 60_000; performance.now() < end; samples.push(sample(pid))) await Bun.sleep(SAMPLE_MS);
    judge(samples, front.texts("MONITOR_VM").length);
  } finally {
    await stopAgent("7001");
    await lab("density", "hosta", "0");
  }
}

/** What onemonitord sends to an agent at its start. */
export function configuration(port: number, hostId: string, periods: string): string {
  return `<MONITOR_CONFIGURATION><NETWORK><MONITOR_ADDRESS><![CDATA[auto]]></MONITOR_ADDRESS><PORT>${port}</PORT><PUBKEY></PUBKEY></NETWORK><PROBES_PERIOD>${periods}</PROBES_PERIOD><HOST_ID>${hostId}</HOST_ID></MONITOR_CONFIGURATION>`;
}

/** The process of an agent that has given its first answer. */
export async function startAgent(hostId: string, text: string): Promise<number> {
  const { exitCode, stderr } = await on("hosta", `/var/tmp/one/onevirt/onevirt-$(uname -m) agent start kvm ${hostId} hosta`, text);
  if (exitCode !== 0) throw new Error(`the agent did not start: ${stderr}`);
  return Number((await on("hosta", `pgrep -u oneadmin -f 'monitord-clien[t].rb kvm ${hostId} hosta'`)).stdout.trim());
}

export async function stopAgent(hostId: string): Promise<void> {
  await on("hosta", `/var/tmp/one/onevirt/onevirt-$(uname -m) agent stop kvm ${hostId} hosta`);
}

function sample(pid: number): Sample {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  const residentKiB = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  return { cpuSeconds: (user + system) / TICKS_A_SECOND, residentMiB: residentKiB / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

function judge(samples: readonly Sample[], reports: number): void {
  const percent = (((samples.at(-1)?.cpuSeconds ?? 0) - (samples[0]?.cpuSeconds ?? 0)) / (MINUTES * 60)) * 100;
  const third = Math.floor(samples.length / 3);
  const most = (value: (each: Sample) => number) => Math.max(...samples.map(value));
  const growth = (of: (...values: number[]) => number, value: (each: Sample) => number) => of(...samples.slice(-third).map(value)) - of(...samples.slice(0, third).map(value));
  const [resident, descriptors] = [most(({ residentMiB }) => residentMiB), most((each) => each.descriptors)];
  const [moreMiB, moreDescriptors] = [growth(Math.max, ({ residentMiB }) => residentMiB), growth(Math.min, (each) => each.descriptors)];
  console.log(`agent with ${VMS} VMs for ${MINUTES} minutes: ${percent.toFixed(2)} % of one core, ${resident.toFixed(0)} MiB resident at most (${moreMiB.toFixed(1)} more at the end), ${descriptors} descriptors (${moreDescriptors} more), ${reports} reports of all VMs`);
  if (percent > MOST_CPU_PERCENT || resident > MOST_MIB || moreMiB > FLAT_MIB || moreDescriptors > 0) throw new Error(`promised: ${MOST_CPU_PERCENT} %, ${MOST_MIB} MiB, flat`);
}
