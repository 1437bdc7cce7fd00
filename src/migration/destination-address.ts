import { quoteWord } from "../codec/shell-word.ts";
import type { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import type { Settings } from "../core/settings.ts";
import { SSH_OPTIONS } from "./destination-files.ts";
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

/** libvirt's rule for its own name (virGetHostname): the full name, unless the short one says all there is or the full one is everybody's. */
const OWN_NAME = `name=$(uname -n)
case "$name" in
  localhost*|*.*) ;;
  *) full=$(hostname -f 2>/dev/null) && case "$full" in ""|localhost*) ;; *) name=$full ;; esac ;;
esac
printf "%s\\n" "$name"`;

/** Whether libvirt uses the name: not when an address is given, nor when the memory goes through its own connection. */
export function needsOwnName({ flags, parameters }: MigrationOptions): boolean {
  return parameters["migrate_uri"] === undefined && (flags & MIGRATE.VIR_MIGRATE_TUNNELLED) === 0;
}

/** Asks the destination for its name, and this host for what that is (install-and-sync.md 9.2). COMMAND_FAILED or TIMED_OUT when it cannot be told. */
export async function findAddress(host: string, { commands, settings, deadline }: Pick<Context, "commands" | "settings" | "deadline">): Promise<DestinationAddress> {
  const time = deadline.within(LOOK_SECONDS);
  const name = await ownName(host, commands, settings, time);
  const { exitCode, stdout, stderr } = await commands.run(lookUpCommand(name), time);
  if (exitCode !== 0 && exitCode !== NOT_FOUND) throw new OnevirtError("COMMAND_FAILED", `Cannot look up "${name}": ${lastLine(stderr)}`);
  return { name, addresses: exitCode === 0 ? addressesIn(stdout) : [] };
}

/** An address that leads back to the host that uses it. */
export function isLoopback(address: string): boolean {
  return /^(127\.|::1$|::ffff:127\.)/i.test(address);
}

async function ownName(host: string, commands: Context["commands"], settings: Settings, deadline: Deadline): Promise<string> {
  const { exitCode, stdout, stderr } = await commands.run(ownNameCommand(host, settings), deadline);
  const name = stdout.trim();
  if (exitCode !== 0 || !HOST_NAME.test(name)) throw new OnevirtError("COMMAND_FAILED", `Cannot ask ${host} for its name: ${exitCode === 0 ? "it gives none that is plain" : lastLine(stderr)}`);
  return name;
}

/** The command that asks a host for its name. */
export function ownNameCommand(host: string, { kvmrc }: Settings): readonly string[] {
  return [...kvmrc.SSH, ...SSH_OPTIONS, host, ["sh", "-c", OWN_NAME].map(quoteWord).join(" ")];
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
