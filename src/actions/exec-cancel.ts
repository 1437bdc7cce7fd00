import type { Context } from "../core/ports.ts";
import { killCommand } from "../vm/guest-exec.ts";
import type { ActionInput } from "./action.ts";
import { nameOfVm } from "./exec.ts";
import { getTarget } from "./target.ts";

/** Kills the command that exec started (actions.md 7.22). */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const vm = nameOfVm(args.vmid ?? "");
  await killCommand(vm, async () => (await getTarget(vm, context)).uuid, context, context.deadline);
  return "";
}
