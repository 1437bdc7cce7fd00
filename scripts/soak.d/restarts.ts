import { FrontEnd } from "../../test/support/front-end.ts";
import { lab, on, rootOn, until } from "../../test/support/lab.ts";
import { configuration, startAgent, stopAgent } from "./agent.ts";

const RESTARTS = 20;
const VMS = 20;

/** libvirtd killed and started again and again: nothing that runs is ever reported as off, and afterwards all is as it was. */
export async function restarts(): Promise<void> {
  await lab("density", "hosta", String(VMS));
  await using front = await FrontEnd.open();
  await startAgent("7002", configuration(front.port, "7002", "<STATE_VM>1</STATE_VM><SYNC_STATE_VM>5</SYNC_STATE_VM>"));
  try {
    for (let round = 0; round < RESTARTS; round++) await killAndStart();
    await complete(front);
  } finally {
    await stopAgent("7002");
    await lab("density", "hosta", "0");
  }
  const off = front.texts("STATE_VM").filter((text) => text.includes('STATE="POWEROFF"'));
  if (off.length > 0) throw new Error(`running VMs were reported as off: ${off[0]}`);
  console.log(`libvirtd killed ${RESTARTS} times beside ${VMS} VMs: ${front.texts("STATE_VM").length} reports of states, none of them says POWEROFF, the last complete one has all`);
}

async function killAndStart(): Promise<void> {
  const { hosts } = JSON.parse(await lab("status", "--json")) as { readonly hosts: readonly { readonly name: string; readonly pids: { readonly libvirtd: number } }[] };
  await rootOn("hosta", `kill -KILL ${hosts.find(({ name }) => name === "hosta")?.pids.libvirtd}`);
  await until("the agent looks at processes", async () => (await status()).states === "processes", 30);
  await lab("start-daemon", "hosta");
  await until("the agent asks libvirt and listens again", async () => (await status()).states === "libvirt" && (await status()).listening, 60);
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
