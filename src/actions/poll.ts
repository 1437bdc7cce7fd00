import { hasCode, messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { pollAll, pollOne, pollSources, type PollSources } from "../monitor/poll.ts";
import { plainForm, singleForm, templateForm } from "../monitor/poll-text.ts";
import type { PollRecord } from "../monitor/poll-record.ts";
import type { ActionInput } from "./action.ts";

/**
 * The 5.x poll (actions.md 15). When libvirt cannot be asked, the list forms print nothing and succeed: without `VM_POLL=YES` oned
 * draws no conclusion, while an error must never look like an empty host. The single form fails.
 */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const ref = args["deploy-id"];
  const sources = pollSources(context);
  if (ref === "-t") return listed(templateForm, sources, context);
  if (ref === undefined || ref === "") return listed(plainForm, sources, context);
  return singleForm(await pollOne(ref, sources, context.deadline), sources.rules === "5.8");
}

async function listed(form: (records: readonly PollRecord[]) => string, sources: PollSources, { deadline, log }: Context): Promise<string> {
  try {
    return form(await pollAll(sources, deadline));
  } catch (error) {
    if (!hasCode(error, "LIBVIRT_UNREACHABLE", "CONNECTION_LOST", "TIMED_OUT", "LIBVIRT_FAILED")) throw error;
    log.log("ERROR", `Nothing is reported: ${messageOf(error)}`);
    return "";
  }
}
