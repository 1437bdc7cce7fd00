import { OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import type { ActionInput } from "./action.ts";
import { requireTarget } from "./attach-disk.ts";
import { changeMedium, driveOf } from "./drive.ts";
import { checkHostPath } from "./host-path.ts";
import { devicesOf, getLiveDomain } from "./live-domain.ts";

/** Inserts the new context CD-ROM (actions.md 7.20). A drive that holds another medium is an error; the same one is inserted again, because its content is new. */
export async function run({ arguments: args }: ActionInput, context: Context): Promise<string> {
  if (!args["deploy-id"] || !args.target || !args["context-path"]) return "";
  const target = requireTarget(args.target);
  const path = checkHostPath(args["context-path"], "the path of the context image");
  const domain = await getLiveDomain(args["deploy-id"], context);
  using _lock = await context.locks.acquire(domain.uuid, domain.name, "reconfigure", context.deadline);
  const drive = driveOf(await devicesOf(domain, context, context.deadline), target, domain);
  if (drive.source !== undefined && drive.source !== path) throw new OnevirtError("INVALID_STATE", `drive ${target} of "${domain.name}" already has media: ${drive.source}`, { hint: "eject it first" });
  if (drive.source !== undefined) await changeMedium(domain, drive, undefined, { force: true }, context);
  await changeMedium(domain, drive, { path, isBlock: isBlockDevice(path, context) }, {}, context);
  return "";
}

/** LVM's names are links into /dev. */
function isBlockDevice(path: string, { files }: Context): boolean {
  const kind = files.kind(path);
  return kind === "other" || (kind === "symlink" && (files.readLink(path) ?? "").startsWith("/dev/"));
}
