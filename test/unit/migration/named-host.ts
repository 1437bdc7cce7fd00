import { lookUpCommand, ownNameCommand } from "../../../src/migration/destination-address.ts";
import type { World } from "../../fakes/world.ts";

/** Lets a host give its name over ssh, and this host know the addresses of that name. */
export function namesItself(world: World, host = "hostb", name = host, addresses: readonly string[] = ["10.0.0.2"]): void {
  world.commands.on(ownNameCommand(host, world.settings).join(" "), { stdout: `${name}\n` });
  world.commands.on(lookUpCommand(name).join(" "), addresses.length === 0 ? { exitCode: 2 } : { stdout: addresses.map((address) => `${address}     STREAM ${name}\n${address}     DGRAM\n`).join("") });
}
