import { lookUpCommand } from "../../../src/migration/destination-address.ts";
import type { FakeHypervisor } from "../../fakes/hypervisor.ts";
import type { World } from "../../fakes/world.ts";

/** Lets a host give its name, and this one know the addresses of that name. */
export function namesItself(world: World, there: FakeHypervisor, name = "hostb", addresses: readonly string[] = ["10.0.0.2"]): void {
  there.parts.hostname = name;
  world.commands.on(lookUpCommand(name).join(" "), addresses.length === 0 ? { exitCode: 2 } : { stdout: addresses.map((address) => `${address}     STREAM ${name}\n${address}     DGRAM\n`).join("") });
}
