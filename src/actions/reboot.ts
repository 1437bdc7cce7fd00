import type { Context } from "../core/ports.ts";
import { restart } from "./restart.ts";
import type { ActionInput } from "./action.ts";

/** Asks the guest to restart; returns when the request was taken (actions.md 7.7). */
export function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  return restart("reboot", args["deploy-id"] ?? "", (uuid) => context.hypervisor.reboot(uuid, context.deadline), context);
}
