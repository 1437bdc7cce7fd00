import { FrontEnd } from "../../test/support/front-end.ts";
import { lab, on, rootOn, until } from "../../test/support/lab.ts";
import { configuration, startAgent, stopAgent } from "./agent.ts";

const RESTARTS = 20;
const VMS = 20;

/** A VM that is paused as soon as libvirt answers again, and resumed when the agent listens; a change is reported by then. */
const CHANGING = 2001;
const CHANGE_SECONDS = 10;

/** libvirtd killed and started again and again: nothing that runs is ever reported as off, and afterwards all is as it was. */
export async function restarts(): Promise<void> {
  await lab("density", "hosta", String(VMS));
  await using front = await FrontEnd.open();
  await startAgent("7002", configuration(front.port, "7002", "<BEACON_HOST>1</BEACON_HOST><STATE_VM>1</STATE_VM><SYNC_STATE_VM>5</SYNC_STATE_VM>"));
  const seconds: number[] = [];
  try {
    for (let round = 0; round < RESTARTS; round++) seconds.push(...(await killAndStart(front)));
    await complete(front);
  } finally {
    await on("hosta", `virsh -c qemu:///system resume one-${CHANGING}`); // the lab counts those that run
    await stopAgent("7002");
    await lab("density", "hosta", "0");
  }
  const off = front.texts("STATE_VM").filter((text) => text.includes('STATE="POWEROFF"'));
  if (off.length > 0) throw new Error(`running VMs were reported as off: ${off[0]}`);
  console.log(`libvirtd killed ${RESTARTS} times beside ${VMS} VMs: ${front.texts("STATE_VM").length} reports of states, none of them says POWEROFF, the last complete one has all; ${seconds.length} changes reported after at most ${Math.max(...seconds).toFixed(1)} s`);
}

/** Gives after how many seconds each of two changes was reported. */
async function killAndStart(front: FrontEnd): Promise<readonly number[]> {
  const { hosts } = JSON.parse(await lab("status", "--json")) as { readonly hosts: readonly { readonly name: string; readonly pids: { readonly libvirtd: number } }[] };
  await rootOn("hosta", `kill -KILL ${hosts.find(({ name }) => name === "hosta")?.pids.libvirtd}`);
  await until("the agent looks at processes", async () => (await status()).states === "processes", 30);
  await lab("start-daemon", "hosta");
  const paused = await change(front, "suspend", "SUSPENDED");
  await until("the agent asks libvirt and listens again", async () => (await status()).states === "libvirt" && (await status()).listening, 60);
  return [paused, await change(front, "resume", "RUNNING")];
}

async function change(front: FrontEnd, command: string, state: string): Promise<number> {
  const since = performance.now();
  const { exitCode, stderr } = await on("hosta", `virsh -c qemu:///system ${command} one-${CHANGING}`);
  if (exitCode !== 0) throw new Error(`virsh ${command} failed: ${stderr}`);
  return ((await front.whenCame(CHANGING, state, since, CHANGE_SECONDS)) - since) / 1000;
}

async function status(): Promise<{ readonly states: string; readonly listening: boolean }> {
  return JSON.parse((await on("hosta", "/var/tmp/one/onevirt/onevirt-$(uname -m) agent status --json")).stdout);
}

/** A report of all states that came after this moment. */
async function complete(front: FrontEnd): Promise<void> {
  const before = front.texts("STATE_VM").length;
  const isComplete = (text: string) => text.startsWith("SYNC_STATE=yes") && text.split('STATE="RUNNING"').length - 1 === VMS;
  await until(`a complete report with ${VMS} running VMs`, async () => front.texts("STATE_VM").slice(before).some(isComplete), 60);
}
