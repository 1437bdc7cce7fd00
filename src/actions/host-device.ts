import { type LiveHostDevice, pciAddress } from "../codec/live-devices.ts";
import { hostAddress, mediatedUuid } from "../domain/hotplug/host-device.ts";
import type { Values } from "../domain/hotplug/values.ts";

/** Whether a device of the domain is the one that the driver message means. */
export function isHostDevice({ uuid, address }: LiveHostDevice, values: Values): boolean {
  if (values.get("UUID") !== "") return uuid === mediatedUuid(values).toLowerCase();
  return address === pciAddress(hostAddress(values));
}
