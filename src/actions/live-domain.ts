import { type LiveDevices, readLiveDevices } from "../codec/live-devices.ts";
import type { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context, DomainStatus } from "../core/ports.ts";
import { isActive } from "../core/states.ts";
import { getTarget } from "./target.ts";

/** The running domain that a device is attached to, or taken from. Nothing of the kind is done to a definition. */
export async function getLiveDomain(ref: string, context: Context): Promise<DomainStatus> {
  const domain = await getTarget(ref, context);
  if (!isActive(domain.state)) throw new OnevirtError("INVALID_STATE", `"${domain.name}" is not running`);
  return domain;
}

/** Its devices, as libvirt has them now. */
export async function devicesOf({ uuid, name }: DomainStatus, { hypervisor }: Context, deadline: Deadline): Promise<LiveDevices> {
  return readLiveDevices(await hypervisor.domainXml(uuid, {}, deadline), `the document of "${name}"`);
}
