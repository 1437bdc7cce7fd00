import type { Context } from "../core/ports.ts";
import type { ActionInput } from "./action.ts";
import { requireTarget } from "./attach-disk.ts";
import { changeMedium, driveOf } from "./drive.ts";
import { devicesOf, getLiveDomain } from "./live-domain.ts";

/** Ejects the context CD-ROM, so that the storage can write a new one (actions.md 7.19). A VM without one has nothing to eject. */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  if (!args["deploy-id"] || !args.target) return "";
  const target = requireTarget(args.target);
  const domain = await getLiveDomain(args["deploy-id"], context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "prereconfigure", context.deadline);
  const drive = driveOf(await devicesOf(domain, context, context.deadline), target, domain);
  if (drive.source === undefined) context.log.log("DEBUG", "CDROM already ejected");
  else await changeMedium(domain, drive, undefined, { force: true }, context);
  return "";
}
