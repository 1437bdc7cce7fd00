import type { Context } from "../core/ports.ts";
import { pollAll, pollSources } from "../monitor/poll.ts";
import { templateForm } from "../monitor/poll-text.ts";
import type { ProbeRequest } from "./probe.ts";
import { birth } from "./vm-status.ts";

/** This many reports in a row may lack their claim to be complete, because VMs come into being one after the other. */
const MOST_INCOMPLETE = 3;

/** Reports in a row that lacked it, by where state is kept. */
const incomplete = new WeakMap<Context["state"], number>();

/**
 * All VMs, as `poll -t` reports them to oned 5.x (monitoring.md 11.2). When libvirt does not list them all, this fails: a list that
 * begins with VM_POLL is complete. One from a moment in which a VM is being deployed is not: oned would power that VM off.
 */
export async function run(_request: ProbeRequest, context: Context): Promise<string> {
  const before = birth(context);
  const text = `${templateForm(await pollAll(pollSources(context), context.deadline))}\n`;
  const count = before || birth(context) ? (incomplete.get(context.state) ?? 0) + 1 : 0;
  incomplete.set(context.state, count);
  return count > 0 && count <= MOST_INCOMPLETE ? text.replace(/^VM_POLL=YES\n/, "") : text;
}
