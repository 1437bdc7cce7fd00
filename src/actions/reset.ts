import type { Context } from "../core/ports.ts";
import { restart } from "./restart.ts";
import type { ActionInput } from "./action.ts";

/** Restarts a VM as its reset button would (actions.md 7.7). */
export function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  return restart("reset", args["deploy-id"] ?? "", (uuid) => context.hypervisor.reset(uuid, context.deadline), context);
}
