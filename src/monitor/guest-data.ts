import { answerText, type GuestAgentSettings, type GuestOs, type GuestQuestion, readGuestAddresses, readGuestOs, returnOf } from "../codec/guest-commands.ts";
import type { Deadline } from "../core/deadline.ts";
import { hasCode, messageOf, OnevirtError } from "../core/errors.ts";
import type { Clock, Hypervisor, Log, StateStore } from "../core/ports.ts";
import { remember } from "./remember.ts";

/** Attributes of a VM in their order. */
export type Attributes = readonly (readonly [name: string, value: string])[];

export interface GuestVm {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  readonly running: boolean;
}

export interface GuestPorts {
  /** A connection of its own: whoever waits for a guest keeps nobody else waiting. */
  readonly hypervisor: Hypervisor;
  readonly state: StateStore;
  readonly clock: Clock;
  readonly log: Log;
}

const DISABLED = "QEMU Guest Agent monitoring disabled";
const NOT_RUNNING = "error: Requested operation is not valid: domain is not running";
const SILENT = "error: Guest agent is not responding: no answer in time";
const OWN_SECONDS = 3;

/** Characters of one value that are reported. The front-end stores them with every pass, and it is the guest who chooses them. */
const MOST_CHARACTERS = 4096;

/** An agent that did not answer is left alone for so long. */
const SILENCE_MS = 5 * 60 * 1000;
const STATE_NAME = "silent-guests";

/**
 * What guests tell of themselves, by UUID (monitoring.md 7.5): the system, its addresses, and the administrator's questions. Guests
 * are asked one after the other until `deadline`, which is a budget of their own; one that is silent is left alone for a while.
 */
export async function guestData(vms: readonly GuestVm[], settings: GuestAgentSettings, ports: GuestPorts, deadline: Deadline): Promise<ReadonlyMap<string, Attributes>> {
  if (!settings.enabled) return new Map(vms.map(({ uuid }) => [uuid, settings.questions.map(({ name }) => [name, DISABLED] as const)]));
  const silent = new SilentGuests(ports, vms);
  const found = new Map<string, Attributes>();
  for (const vm of silent.leastRecentFirst(vms)) {
    if (deadline.expired) break;
    found.set(vm.uuid, vm.running ? (await askGuest(vm, settings.questions, silent, ports, deadline)).map(shortened) : settings.questions.filter(({ isFor }) => isFor(undefined)).map(({ name }) => [name, NOT_RUNNING] as const));
    silent.note(vm.uuid);
  }
  silent.keep();
  if (found.size < vms.length) ports.log.log("WARN", `${vms.length - found.size} guests were not asked: their time is used up`);
  return found;
}

function shortened([name, value]: Attributes[number]): Attributes[number] {
  return [name, value.length > MOST_CHARACTERS ? `${value.slice(0, MOST_CHARACTERS)}…` : value];
}

async function askGuest(vm: GuestVm, questions: readonly GuestQuestion[], silent: SilentGuests, { hypervisor, log }: GuestPorts, deadline: Deadline): Promise<Attributes> {
  const ask = async (json: string, seconds: number) => {
    if (silent.has(vm.uuid)) throw new OnevirtError("AGENT_UNRESPONSIVE", SILENT);
    try {
      return returnOf(await hypervisor.guest.command(vm.uuid, json, deadline.within(seconds)));
    } catch (error) {
      if (hasCode(error, "TIMED_OUT") || isUnresponsive(error)) {
        silent.add(vm.uuid);
        log.log("WARN", `The guest agent of ${vm.name} does not answer: it is left alone for a while`);
      }
      throw error;
    }
  };
  const os = await orUndefined(async () => readGuestOs(await ask('{"execute":"guest-get-osinfo"}', OWN_SECONDS)));
  const addresses = await orUndefined(async () => readGuestAddresses(await ask('{"execute":"guest-network-get-interfaces"}', OWN_SECONDS)));
  const answers: (readonly [string, string])[] = [];
  for (const question of questions.filter(({ isFor }) => isFor(os))) answers.push([question.name, await answerTo(question, vm, ask)]);
  return [...osAttributes(os), ...(addresses ? [["GUEST_IP_ADDRESSES", addresses.join(",")] as const] : []), ...answers];
}

async function answerTo({ json, timeoutSeconds }: GuestQuestion, { id }: GuestVm, ask: (json: string, seconds: number) => Promise<unknown>): Promise<string> {
  if (json === undefined) return "error: the command is no question to the guest agent, and nothing else is run";
  try {
    return answerText(await ask(json.replaceAll("$vm_id", String(id)), timeoutSeconds));
  } catch (error) {
    return failureText(error);
  }
}

/** As virsh prints it: libvirt's own words. */
function failureText(error: unknown): string {
  if (hasCode(error, "TIMED_OUT")) return SILENT;
  if (error instanceof OnevirtError && error.libvirt) return `error: ${error.libvirt.text}`;
  return messageOf(error);
}

/** libvirt's word for an agent that is there and says nothing; one that is not there answers at once, and is asked again. */
function isUnresponsive(error: unknown): boolean {
  return hasCode(error, "AGENT_UNRESPONSIVE") && !/not (connected|configured)/.test(messageOf(error));
}

function osAttributes(os: GuestOs | undefined): Attributes {
  return os ? [["OS_ID", os.id], ["OS_TYPE", os.type], ["OS_VERSION", os.version], ["OS_MACHINE", os.machine]] : [];
}

async function orUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    return undefined; // its attributes are left out; the questions say why
  }
}

/** Guests that do not answer, until when (wall clock, ms), and when each was asked last. */
class SilentGuests {
  readonly #until: Record<string, number>;
  readonly #asked: Record<string, number>;

  constructor(
    private readonly ports: GuestPorts,
    vms: readonly GuestVm[],
  ) {
    const { until = {}, asked = {} } = (ports.state.read(STATE_NAME) ?? {}) as { until?: Record<string, number>; asked?: Record<string, number> };
    const now = ports.clock.nowMs();
    const here = new Set(vms.map(({ uuid }) => uuid));
    this.#until = Object.fromEntries(Object.entries(until).filter(([uuid, end]) => here.has(uuid) && end > now && end <= now + SILENCE_MS));
    this.#asked = Object.fromEntries(Object.entries(asked).filter(([uuid]) => here.has(uuid)));
  }

  /** Whoever got no turn in the last pass gets one in this. */
  leastRecentFirst(vms: readonly GuestVm[]): readonly GuestVm[] {
    return vms.toSorted((a, b) => (this.#asked[a.uuid] ?? 0) - (this.#asked[b.uuid] ?? 0));
  }

  has(uuid: string): boolean {
    return this.#until[uuid] !== undefined;
  }

  add(uuid: string): void {
    this.#until[uuid] = this.ports.clock.nowMs() + SILENCE_MS;
  }

  note(uuid: string): void {
    this.#asked[uuid] = this.ports.clock.nowMs();
  }

  keep(): void {
    remember(STATE_NAME, { until: this.#until, asked: this.#asked }, this.ports);
  }
}
