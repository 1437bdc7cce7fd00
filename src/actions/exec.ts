import { shellWords } from "../codec/shell-words.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { startCommand } from "../vm/guest-exec.ts";
import type { ActionInput } from "./action.ts";
import { getTarget } from "./target.ts";

/** Starts a command inside a guest (actions.md 7.21). Success means started: the monitoring probe vm/execution brings the result. */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  const vm = nameOfVm(args.vmid ?? "");
  const [path, ...words] = shellWords(args.command ?? "");
  if (path === undefined) throw new OnevirtError("BAD_ARGUMENT", "the command is empty");
  const inputBase64 = args.stdin || undefined;
  if (inputBase64 && !/^[A-Za-z0-9+/]*={0,2}$/.test(inputBase64)) throw new OnevirtError("BAD_ARGUMENT", "the input of the command is not base64");
  const { uuid } = await getTarget(vm, context);
  await startCommand(vm, uuid, { path, arguments: words, ...(inputBase64 ? { inputBase64 } : {}) }, context, context.deadline);
  return "";
}

/** These two actions get the number of the VM, not its deploy id. */
export function nameOfVm(vmid: string): string {
  if (/^\d{1,10}$/.test(vmid)) return `one-${vmid}`;
  throw new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(vmid.slice(0, 80))} is not the number of a VM`);
}
