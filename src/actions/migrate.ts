import { ActionMessage } from "../codec/action-message.ts";
import type { Context } from "../core/ports.ts";
import { Journal } from "../migration/journal.ts";
import { type MigrationOptions, readMigrationOptions } from "../migration/option-reader.ts";
import { type MigrationRequest, readRequest } from "../migration/request.ts";
import type { ActionInput } from "./action.ts";
import { compactMemoryOnStop } from "./compact-memory.ts";
import { moveDatastore } from "./datastore-move.ts";
import { sameDirectory } from "./host-path.ts";
import { migrateVm } from "./migration-run.ts";
import { syncTime } from "./sync-time.ts";
import { deployIdOf } from "./target.ts";

/** Moves a running VM to another host (actions.md 7.12). Runs on the source. */
export async function run(input: ActionInput, context: Context): Promise<string> {
  const { request, options } = await readMigration(input, context);
  const change = datastoreChange(request);
  if (change) {
    await moveDatastore(request.ref, change.from, change.to, context);
    return "";
  }
  using destination = context.hypervisorAt(request.destinationUri);
  const { uuid, how } = await migrateVm({ request, options, context, destination, journal: new Journal(context.files, context.settings.onevirt.STATE_DIRECTORY) });
  if (how === "moved") await syncTime(uuid, { ...context, hypervisor: destination });
  await compactMemoryOnStop(context);
  return "";
}

/** What oned asks for, and how kvmrc and the VM want it done. A caller before 6.0 sends no document: its storage is shared. */
export async function readMigration({ arguments: args, stdin }: ActionInput, { settings }: Context): Promise<{ readonly request: MigrationRequest; readonly options: MigrationOptions }> {
  const message = stdin.trim() === "" ? undefined : await ActionMessage.read(stdin);
  const request = readRequest(args, deployIdOf(args), message, settings.kvmrc.QEMU_PROTOCOL);
  const asked = readMigrationOptions(settings.kvmrc.MIGRATE_OPTIONS, {
    autoConverge: message?.text("VM/TEMPLATE/FEATURES/MIGRATE_AUTO_CONVERGE") ?? "",
    compressed: message?.text("VM/TEMPLATE/FEATURES/MIGRATE_COMPRESSED") ?? "",
  });
  return { request, options: withAddress(asked, request, settings.onevirt.MIGRATE_URI) };
}

/** The VM's directory before and after. */
export interface DatastoreChange {
  readonly from: string;
  readonly to: string;
}

/** The same host and another directory: the datastore changes, not the host. */
export function datastoreChange({ source, destination, sourceDirectory: from, destinationDirectory: to }: MigrationRequest): DatastoreChange | undefined {
  return source === destination && from !== undefined && to !== undefined && !sameDirectory(from, to) ? { from, to } : undefined;
}

/** MIGRATE_URI, unless MIGRATE_OPTIONS names an address. */
function withAddress(options: MigrationOptions, { destination }: MigrationRequest, uri: string): MigrationOptions {
  if (uri === "" || "migrate_uri" in options.parameters) return options;
  return { ...options, parameters: { ...options.parameters, migrate_uri: uri.replaceAll("%h", destination) } };
}
