import { DEFAULT_DATASTORE_LOCATION, DEFAULT_PERIODS } from "../../../src/core/monitor-configuration.ts";
import { findProbe } from "../../../src/probes/table.ts";
import type { World } from "../../fakes/world.ts";

/** What a probe says in a world. */
export async function runProbe(name: string, world: World, more: { readonly hostId?: number; readonly driver?: "kvm" | "qemu" } = {}): Promise<string> {
  const probe = findProbe(name);
  if (!probe) throw new Error(`there is no probe ${name}`);
  const request = { driver: "kvm", hostId: 3, hostName: "node1", configuration: { datastoreLocation: DEFAULT_DATASTORE_LOCATION, periods: DEFAULT_PERIODS }, ...more } as const;
  return (await probe.load()).run(request, world);
}
