import { defineCommand } from "citty";
import { contextOf, findTree, readGeneration, readSettings } from "../context.ts";
import { Deadline } from "../core/deadline.ts";
import { OnevirtError } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import { logLine } from "../core/report.ts";
import { systemClock } from "../host/clock.ts";
import { freezeGuest, thawGuest } from "../vm/guest-freeze.ts";
import { parseWords } from "./options.ts";

/** How long a guest stays frozen at most, unless somebody says otherwise. */
const FROZEN_SECONDS = 60;

/** How long a guest is asked to thaw that does not answer: by somebody who waits for it, and by what sees to it that it happens. */
const THAW_SECONDS = 300;
const WATCH_SECONDS = 24 * 3600;
const LOOK_MS = 200;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const VM = { type: "positional", description: "libvirt name, UUID or id of the domain", required: false } as const;
const FREEZE = {
  vm: VM,
  seconds: { type: "string", description: `thaw after so many seconds, whatever happens (${FROZEN_SECONDS})`, valueHint: "N" },
  pid: { type: "string", description: "thaw when this process has ended", valueHint: "PID" },
} as const;
const THAW = {
  vm: VM,
  after: { type: "string", description: "wait so many seconds first", valueHint: "N" },
  pid: { type: "string", description: "or until this process has ended", valueHint: "PID" },
  token: { type: "string", description: "only the freeze that printed this token", valueHint: "TOKEN" },
} as const;

const freeze = defineCommand({
  meta: { name: "freeze", description: "Freeze the file systems of a guest for a snapshot of its disks; it is thawed after --seconds, when --pid has ended, or by thaw" },
  args: FREEZE,
  async run({ rawArgs }) {
    const { words, values } = parseWords(rawArgs, FREEZE);
    const seconds = numberOf(values.seconds, "--seconds") ?? FROZEN_SECONDS;
    const pid = numberOf(values.pid, "--pid");
    await withGuest(words, async (uuid, context) => {
      const token = context.randomHex().slice(0, 16);
      const count = await freezeGuest({ uuid, token, seconds }, async () => thawLater(uuid, token, seconds, pid), context, context.deadline);
      console.log(`${count} file systems are frozen, for ${seconds} s at most; token ${token}`);
    });
  },
});

const thaw = defineCommand({
  meta: { name: "thaw", description: "Thaw the file systems of a guest; it is asked again until it answers" },
  args: THAW,
  async run({ rawArgs }) {
    const { words, values } = parseWords(rawArgs, THAW);
    await until(numberOf(values.after, "--after") ?? 0, numberOf(values.pid, "--pid"));
    const [uuid = "", ...more] = words;
    const work = async (found: string, context: Context) => console.log(`${await thawGuest({ uuid: found, token: values.token }, context, context.deadline)} file systems were thawed`);
    // What a freeze has started knows whom it is for. libvirt may be away just now, and is then asked again.
    if (values.token !== undefined && UUID.test(uuid) && more.length === 0) await withContext(WATCH_SECONDS, (context) => work(uuid, context));
    else await withGuest(words, work);
  },
});

/** `onevirt guest …`: what storage drivers need around a snapshot of the disks of a running VM (system snapshots need none of it). */
export default defineCommand({ meta: { name: "guest", description: "Freeze and thaw the file systems of a guest" }, subCommands: { freeze, thaw } });

async function withGuest([ref, ...more]: readonly string[], work: (uuid: string, context: Context) => Promise<void>): Promise<void> {
  if (ref === undefined || more.length > 0) throw new OnevirtError("BAD_ARGUMENT", "Name one VM");
  await withContext(THAW_SECONDS, async (context) => {
    const domain = await context.hypervisor.find(ref, context.deadline.within(10));
    if (!domain) throw new OnevirtError("DOMAIN_NOT_FOUND", `Cannot find "${ref}": there is no such domain`);
    await work(domain.uuid, context);
  });
}

async function withContext(limitSeconds: number, work: (context: Context) => Promise<void>): Promise<void> {
  const tree = findTree(process.env, process.execPath);
  const surroundings = { tree, trace: undefined, tracer: undefined, generation: readGeneration(tree), log: { log: (severity: "ERROR" | "WARN" | "INFO" | "DEBUG", text: string) => console.error(logLine(severity, "guest", text)) } };
  using context = contextOf((await readSettings(surroundings)).settings, surroundings, { readOnly: false, limitSeconds });
  await work(context);
}

/** A process of its own, so that the guest is thawed also when this one is killed. */
function thawLater(uuid: string, token: string, seconds: number, pid: number | undefined): void {
  const words = ["guest", "thaw", uuid, "--token", token, "--after", String(seconds), ...(pid === undefined ? [] : ["--pid", String(pid)])];
  Bun.spawn({ cmd: [process.execPath, ...words], stdin: "ignore", stdout: "ignore", stderr: "ignore", cwd: "/", detached: true }).unref();
}

async function until(seconds: number, pid: number | undefined): Promise<void> {
  const deadline = Deadline.after(seconds, systemClock);
  while (!deadline.expired && (pid === undefined || lives(pid))) await Bun.sleep(Math.min(LOOK_MS, deadline.remainingMs()));
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function numberOf(text: string | undefined, what: string): number | undefined {
  if (text === undefined || /^[1-9]\d{0,8}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new OnevirtError("BAD_ARGUMENT", `${what} wants a whole number above 0, found ${JSON.stringify(text)}`);
}
