import { OnevirtError } from "../core/errors.ts";
import type { Context, Hypervisor } from "../core/ports.ts";
import type { MigrationOptions } from "./option-reader.ts";
import { MIGRATE } from "./options.ts";

/** Where QEMU here is told to send the memory: the destination's name for itself, and what this host makes of it. */
export interface DestinationAddress {
  readonly name: string;
  /** None when this host does not know the name. */
  readonly addresses: readonly string[];
}

const LOOK_SECONDS = 10;
const HOST_NAME = /^(?![-.])[A-Za-z0-9_.-]{1,255}$/;
/** What getent ends with when there is no such name. */
const NOT_FOUND = 2;

/** Whether libvirt uses the name: not when an address is given, nor when the memory goes through its own connection. */
export function needsOwnName({ flags, parameters }: MigrationOptions): boolean {
  return parameters["migrate_uri"] === undefined && (flags & MIGRATE.VIR_MIGRATE_TUNNELLED) === 0;
}

/**
 * Asks the destination's daemon for its name, which is what it tells QEMU here (virGetHostname in qemuMigrationDstPrepareDirect of
 * qemu_migration.c), and this host for what that is (install-and-sync.md 9.2). COMMAND_FAILED when the name cannot be used or looked up; else what libvirt or the deadline says.
 */
export async function findAddress(host: string, destination: Hypervisor, { commands, deadline }: Pick<Context, "commands" | "deadline">): Promise<DestinationAddress> {
  const time = deadline.within(LOOK_SECONDS);
  const name = await destination.node.hostname(time);
  if (!HOST_NAME.test(name)) throw new OnevirtError("COMMAND_FAILED", `Cannot ask ${host} for its name: it gives none that is plain`);
  const { exitCode, stdout, stderr } = await commands.run(lookUpCommand(name), time);
  if (exitCode !== 0 && exitCode !== NOT_FOUND) throw new OnevirtError("COMMAND_FAILED", `Cannot look up "${name}": ${lastLine(stderr)}`);
  return { name, addresses: exitCode === 0 ? addressesIn(stdout) : [] };
}

/** An address that leads back to the host that uses it. */
export function isLoopback(address: string): boolean {
  return /^(127\.|::1$|::ffff:127\.)/i.test(address);
}

/** The command that finds the addresses of a name in the way in which libvirt does; a process can be ended when a name server is silent. */
export function lookUpCommand(name: string): readonly string[] {
  return ["getent", "ahosts", "--", name];
}

function addressesIn(text: string): readonly string[] {
  return [...new Set(text.split("\n").flatMap((line) => /^(\S+)\s/.exec(line)?.[1] ?? []))];
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) || "no reason given";
}
