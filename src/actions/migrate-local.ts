import type { Context } from "../core/ports.ts";
import { Journal } from "../migration/journal.ts";
import { libvirtUri } from "../migration/request.ts";
import type { ActionInput } from "./action.ts";
import { readMigration } from "./migrate.ts";
import { migrateVm } from "./migration-run.ts";
import { syncTime } from "./sync-time.ts";

/** The same on the front-end, for shared storage: both hosts are reached through QEMU_PROTOCOL (actions.md 7.13). */
export async function run(input: ActionInput, context: Context): Promise<string> {
  const { request, options } = await readMigration({ ...input, stdin: "" }, context);
  using source = context.hypervisorAt(libvirtUri(context.settings.kvmrc.QEMU_PROTOCOL, request.source));
  using destination = context.hypervisorAt(request.destinationUri);
  const fromHere = { ...context, hypervisor: source };
  const { uuid, how } = await migrateVm({ request, options, context: fromHere, destination, fromElsewhere: true, journal: new Journal(context.files, context.settings.onevirt.STATE_DIRECTORY) });
  if (how === "moved") await syncTime(uuid, { ...context, hypervisor: destination });
  return "";
}
