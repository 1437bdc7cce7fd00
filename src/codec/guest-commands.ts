import { messageOf, OnevirtError } from "../core/errors.ts";
import { parseProbeSettings, stringsOf } from "./probe-settings.ts";
import { shellWords } from "./shell-words.ts";

/** What is known of a guest's operating system. */
export interface GuestOs {
  readonly id: string;
  readonly type: "mswindows" | "posix";
  readonly version: string;
  readonly machine: string;
}

/** A question to guests' agents that an administrator wants asked. */
export interface GuestQuestion {
  /** The attribute that its answer gets. */
  readonly name: string;
  /** What the agent is sent; `$vm_id` stands for the VM's number. Undefined when the command is more than a question. */
  readonly json: string | undefined;
  readonly timeoutSeconds: number;
  readonly isFor: (os: GuestOs | undefined) => boolean;
}

/** guestagent.conf (monitoring.md 8.2). */
export interface GuestAgentSettings {
  readonly enabled: boolean;
  readonly questions: readonly GuestQuestion[];
}

const DEFAULT_TIMEOUT_SECONDS = 5;

/** Filters of a command, by the part of the system that they look at. */
const FILTERS: Readonly<Record<string, keyof GuestOs>> = { os_ids: "id", os_types: "type", os_versions: "version", os_machines: "machine" };

/** Reads guestagent.conf. BAD_CONFIG when it is no map. */
export function readGuestAgentSettings(text: string, path: string): GuestAgentSettings {
  const { enabled, commands } = parseProbeSettings(text, path);
  const entries = typeof commands === "object" && commands !== null ? Object.entries(commands) : [];
  return { enabled: enabled === true, questions: entries.map(([name, command]) => asQuestion(name, command)) };
}

function asQuestion(name: string, command: unknown): GuestQuestion {
  const settings = (typeof command === "object" && command !== null ? command : { command }) as Readonly<Record<string, unknown>>;
  const filters = Object.entries(FILTERS).flatMap(([key, part]) => {
    const allowed = stringsOf(settings[key]) ?? [];
    return allowed.length > 0 ? [{ part, allowed }] : [];
  });
  return {
    name: name.toUpperCase().replace(/\W/g, "_"),
    ...asQuestionText(String(settings.command ?? "")),
    isFor: (os) => filters.every(({ part, allowed }) => os !== undefined && allowed.includes(os[part])),
  };
}

/** The end of a virsh command line: domain, JSON, `--timeout N`. Anything else would need a shell, and is not run. */
function asQuestionText(command: string): { readonly json: string | undefined; readonly timeoutSeconds: number } {
  const words = wordsOf(command);
  const rest = words.filter((word) => word !== "--pretty");
  const at = rest.findIndex((word) => word === "--timeout" || word.startsWith("--timeout="));
  const timeout = at < 0 ? undefined : (rest[at]?.split("=")[1] ?? rest[at + 1]);
  if (at >= 0) rest.splice(at, rest[at]?.includes("=") ? 1 : 2);
  const [domain, json, ...surplus] = rest;
  const isPlain = domain === "one-$vm_id" && json?.startsWith("{") === true && surplus.length === 0;
  return { json: isPlain ? json : undefined, timeoutSeconds: Number(timeout) > 0 ? Number(timeout) : DEFAULT_TIMEOUT_SECONDS };
}

function wordsOf(command: string): string[] {
  try {
    return [...shellWords(command)];
  } catch {
    return [];
  }
}

/** The member `return` of an agent's answer. BAD_INPUT when there is none. */
export function returnOf(answer: string): unknown {
  try {
    const value = JSON.parse(answer, exactly as (key: string, value: unknown) => unknown) as { readonly return?: unknown } | null;
    if (typeof value === "object" && value !== null && "return" in value) return value.return;
  } catch (cause) {
    throw new OnevirtError("BAD_INPUT", `Failed to parse command output: ${messageOf(cause)}`, { cause });
  }
  throw new OnevirtError("BAD_INPUT", "Failed to parse command output: it has no return value");
}

/** A part of JSON that TypeScript does not know yet. */
const RAW = JSON as unknown as { rawJSON(text: string): object; isRawJSON(value: object): value is { readonly rawJSON: string } };

/** A number as the guest wrote it, where JavaScript would round it: times are in nanoseconds. */
function exactly(_key: string, value: unknown, { source }: { readonly source?: string }): unknown {
  return typeof value === "number" && source !== undefined && /^-?\d+$/.test(source) && !Number.isSafeInteger(value) ? RAW.rawJSON(source) : value;
}

/** An answer as the value of an attribute: members of a list side by side, objects as JSON. */
export function answerText(value: unknown): string {
  if (Array.isArray(value)) return value.map(answerText).join(", ");
  if (typeof value !== "object" || value === null) return String(value ?? "");
  return RAW.isRawJSON(value) ? value.rawJSON : JSON.stringify(value);
}

/** The answer to guest-get-osinfo. */
export function readGuestOs(value: unknown): GuestOs {
  const { id, "version-id": version, machine } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return { id: orUnknown(id), type: id === "mswindows" ? "mswindows" : "posix", version: orUnknown(version), machine: orUnknown(machine) };
}

function orUnknown(value: unknown): string {
  return typeof value === "string" && value !== "" ? value : "unknown";
}

/** Addresses in the answer to guest-network-get-interfaces, without those of the guest itself. */
export function readGuestAddresses(value: unknown): readonly string[] {
  const interfaces = (Array.isArray(value) ? value : []) as readonly { readonly name?: unknown; readonly "ip-addresses"?: unknown }[];
  return interfaces.filter((each) => each?.name !== "lo").flatMap((each) => addressesOf(each?.["ip-addresses"]));
}

function addressesOf(value: unknown): readonly string[] {
  const addresses = (Array.isArray(value) ? value : []) as readonly { readonly "ip-address"?: unknown }[];
  return addresses.flatMap((each) => (typeof each?.["ip-address"] === "string" ? [each["ip-address"]] : [])).filter((address) => address !== "127.0.0.1" && address !== "::1");
}
