import type { KeyObject } from "node:crypto";
import { readPublicKey, type MonitorMessageType } from "../codec/monitor-message.ts";
import { buildInfo } from "../core/build-info.ts";
import { Deadline } from "../core/deadline.ts";
import { messageOf } from "../core/errors.ts";
import type { MonitorConfiguration, ProbePeriods } from "../core/monitor-configuration.ts";
import type { Context, LifecycleEvent, LifecycleWatch } from "../core/ports.ts";
import { remember } from "../monitor/remember.ts";
import type { ProbeCategory, ProbeRequest } from "../probes/probe.ts";
import { forgetSync, noteEvent, startOver, stateSource, withoutSync } from "../probes/vm-status.ts";
import { Loop } from "./loop.ts";
import type { AgentWorld } from "./ports.ts";
import { Probes } from "./probe-pass.ts";
import { Results } from "./results.ts";
import { Sender } from "./sender.ts";
import { type AgentStatus, notBefore, quarantined, STATUS_NAME } from "./status.ts";

interface Row {
  readonly category: ProbeCategory;
  readonly type: MonitorMessageType;
  /** Its period by the configuration, or in seconds. */
  readonly period: keyof ProbePeriods | number;
  /** A pass does something, or what it reports is gone then: it is left to the loop, which begins right after the first answer. */
  readonly acts?: true;
  /** Its failure puts the whole host into ERROR at the front-end. */
  readonly ofHost?: true;
}

/** The loops, in the order of the first answer; the beacon is not a part of it (monitoring.md 1, 4.5). */
const ROWS: readonly Row[] = [
  { category: "host/system", type: "SYSTEM_HOST", period: "SYSTEM_HOST", ofHost: true },
  { category: "host/monitor", type: "MONITOR_HOST", period: "MONITOR_HOST", ofHost: true },
  { category: "vm/status", type: "STATE_VM", period: "STATE_VM" },
  { category: "vm/execution", type: "EXEC_VM", period: "EXEC_VM", acts: true },
  { category: "vm/monitor", type: "MONITOR_VM", period: "MONITOR_VM" },
  { category: "vm/snapshot", type: "MONITOR_VM", period: 60, acts: true },
];
const BEACON: Row = { category: "host/beacon", type: "BEACON_HOST", period: "BEACON_HOST" };

/** A host loop fails this often in a row before the front-end hears of it: it would put all VMs to UNKNOWN. */
const PATIENCE = 3;

/** A new agent waits so long for lists of the host that nobody has told it yet: OpenNebula would believe that their devices and VMs are gone. */
const LISTS_MS = 60_000;

/** Periods, and seconds at least, without success after which a loop stands still; a pass that may take longer has its time. */
const STILL_PERIODS = 4;
const STILL_SECONDS = 120;

/** A start must end within the driver's 90 s; what has not answered by then is left out. */
const FIRST_ANSWER_MS = 45_000;

/** A complete report that is older may lack a VM that has been deployed since, and OpenNebula would power that off (monitoring.md 10.2). */
const FRESH_MS = 3000;

const ENDING_MS = 500;
const LISTEN_SECONDS = 10;
const LISTEN_AGAIN_MS = 5000;

/** The agent of one host. */
export class Agent {
  readonly #sender: Sender;
  readonly #probes: Probes;
  readonly #loops: readonly Loop[];
  readonly #results: Results;
  readonly #problems = new Map<string, string>();
  readonly #failedPasses = new Map<string, number>();
  readonly #context: Context;
  #events = 0;
  #listening = false;
  #stopped = false;
  readonly #end = Promise.withResolvers<void>();
  #startedMs: number;

  constructor(
    private readonly request: ProbeRequest,
    configuration: MonitorConfiguration,
    world: AgentWorld,
  ) {
    this.#context = world.contextFor(60);
    this.#probes = new Probes(request, world, this.#context.clock, (category, text) => this.#hearLate(category, text));
    this.#startedMs = this.#context.clock.monotonicMs();
    const key: KeyObject | undefined = configuration.publicKey === undefined ? undefined : readPublicKey(configuration.publicKey);
    this.#sender = new Sender(configuration.hostId, key, world.transport, this.#context.clock, notBefore(this.#context.state, configuration.hostId, this.#context.clock.nowMs()));
    this.#results = new Results(this.#context);
    const loop = (row: Row, work: () => Promise<void>) => new Loop(row.category, typeof row.period === "number" ? row.period : configuration.periods[row.period], this.#context.clock, work);
    this.#loops = [...ROWS.map((row) => loop(row, () => this.#pass(row))), loop(BEACON, () => this.#beacon())];
    startOver(request.hostId, this.#context);
  }

  /** Everything once, as one document (monitoring.md 4.5): what failed is left out, and said in the log. */
  async firstAnswer(): Promise<string> {
    let isOver = false;
    const part = async (row: Row) => {
      const text = await this.#part(row);
      if (isOver) this.#hearLate(row.category, text);
      return text;
    };
    const parts = await Promise.all(ROWS.map((row) => Promise.race([part(row), this.#context.clock.sleep(FIRST_ANSWER_MS).then(() => "")])));
    isOver = true;
    forgetSync(this.request.hostId, this.#context); // whether it arrives is not known
    return `<MONITOR_MESSAGES>${parts.join("")}<TIMESTAMP>${this.#sender.timeOfAll()}</TIMESTAMP></MONITOR_MESSAGES>\n`;
  }

  async #part({ category, type, acts }: Row): Promise<string> {
    const { text, failures, isIncomplete } = acts ? { text: "", failures: [], isIncomplete: false } : await this.#probes.pass(category);
    this.#note(category, failures);
    return isIncomplete || (text === "" && failures.length > 0) ? "" : `<${type}>${Buffer.from(text || "\n").toString("base64")}</${type}>\n`;
  }

  /** Runs the loops and listens to events until it is stopped. */
  async run(): Promise<void> {
    await Promise.all([...this.#loops.map((loop) => loop.run()), this.#listen()]);
  }

  /** A system pass now: vGPU profiles have changed (SIGUSR1). */
  refreshSystem(): void {
    this.#loopOf("host/system")?.ask();
  }

  /** Ends the loops, and keeps the time of the last message for the agent that follows. */
  stop(): void {
    this.#stopped = true;
    this.#end.resolve();
    for (const loop of this.#loops) loop.stop();
    remember(STATUS_NAME, this.#status(), this.#context);
  }

  async #pass(row: Row): Promise<void> {
    const began = this.#context.clock.monotonicMs();
    const { text: found, failures, isIncomplete } = await this.#probes.pass(row.category);
    const text = this.#toSend(row.type, found, this.#context.clock.monotonicMs() - began);
    this.#note(row.category, failures);
    const failed = failures.length > 0 && text.trim() === "";
    const inARow = failed || isIncomplete ? (this.#failedPasses.get(row.category) ?? 0) + 1 : 0;
    this.#failedPasses.set(row.category, inARow);
    const mayWait = inARow < PATIENCE || (isIncomplete && this.#context.clock.monotonicMs() - this.#startedMs < LISTS_MS);
    if ((failed || isIncomplete) && row.ofHost && mayWait) throw new Error(failures.join("; ")); // tried again soon, and not told
    if (!failed && text.trim() === "") return;
    if (row.type === "MONITOR_HOST" && this.#still().length > 0) return; // it would be a sign of life, as a beacon is
    await this.#send(row.type, !failed, failed ? failures.join("; ") : text.trim());
  }

  /** What nobody waited for has been said all the same: states are said anew, and results go with the next pass. */
  #hearLate(category: ProbeCategory, text: string): void {
    if (category === "vm/status") forgetSync(this.request.hostId, this.#context);
    if (category === "vm/execution") this.#results.add(text);
  }

  #toSend(type: MonitorMessageType, text: string, ageMs: number): string {
    if (type === "EXEC_VM") return this.#results.add(text);
    return type === "STATE_VM" && ageMs > FRESH_MS ? this.#withoutSync(text) : text;
  }

  /** Changes are true however late they come; completeness is not, and comes with a later pass. */
  #withoutSync(text: string): string {
    const changes = withoutSync(text);
    if (changes !== text) forgetSync(this.request.hostId, this.#context);
    return changes;
  }

  async #send(type: MonitorMessageType, success: boolean, text: string): Promise<void> {
    try {
      await this.#sender.send(type, success, text);
      if (type === "EXEC_VM") this.#results.arrived();
    } catch (error) {
      if (type === "STATE_VM") forgetSync(this.request.hostId, this.#context);
      this.#context.log.log("WARN", `${type} was not sent: ${messageOf(error)}`);
      throw error;
    }
  }

  /** A sign of life only when all loops live: a host that looks healthy is. */
  async #beacon(): Promise<void> {
    const status = this.#status();
    remember(STATUS_NAME, status, this.#context);
    if (!status.healthy) return this.#context.log.log("ERROR", `No beacon is sent: ${this.#still().join(", ")} stand still`);
    await this.#send(BEACON.type, true, String(Math.floor(this.#context.clock.nowMs() / 1000)));
  }

  /** Events make a pass come at once; after a loss, everything is looked at, and listened to again. */
  async #listen(): Promise<void> {
    const { hypervisor, clock, log } = this.#context;
    while (!this.#stopped) {
      try {
        using watch = await hypervisor.watchLifecycle((event) => this.#hear(event), Deadline.after(LISTEN_SECONDS, clock));
        this.#listening = true;
        await this.#untilLost(watch);
      } catch (error) {
        log.log("DEBUG", `libvirt's events are not heard: ${messageOf(error)}`);
      }
      this.#listening = false;
      this.#loopOf("vm/status")?.ask();
      if (!this.#stopped) await Promise.race([clock.sleep(LISTEN_AGAIN_MS), this.#end.promise]);
    }
  }

  /** One wait, however long: each look at a promise leaves something with it, and this one is kept for months. */
  async #untilLost({ lost }: LifecycleWatch): Promise<void> {
    await Promise.race([lost, this.#end.promise]);
  }

  #hear(event: LifecycleEvent): void {
    this.#events++;
    noteEvent(event, this.#context);
    const loop = this.#loopOf("vm/status");
    loop?.ask();
    if (event.kind === "stopped") void this.#context.clock.sleep(ENDING_MS).then(() => loop?.ask()); // its process may need a moment
  }

  #note(category: string, failures: readonly string[]): void {
    const text = failures.join("; ");
    if (text !== "" && text !== this.#problems.get(category)) this.#context.log.log("WARN", text);
    if (text === "") this.#problems.delete(category);
    else this.#problems.set(category, text);
  }

  #loopOf(category: ProbeCategory): Loop | undefined {
    return this.#loops.find(({ name }) => name === category);
  }

  #still(): readonly string[] {
    const now = this.#context.clock.monotonicMs();
    const isStill = ({ name, periodSeconds, lastSuccessMs = this.#startedMs }: Loop) => {
      const silent = (now - lastSuccessMs) / 1000;
      return silent > Math.max(STILL_SECONDS, STILL_PERIODS * periodSeconds) && silent > periodSeconds + this.#probes.limitSeconds(name as ProbeCategory);
    };
    return this.#loops.filter((loop) => loop.name !== BEACON.category && isStill(loop)).map(({ name }) => name);
  }

  #status(): AgentStatus {
    const { clock } = this.#context;
    const now = clock.monotonicMs();
    return {
      pid: process.pid, driver: this.request.driver, hostId: this.request.hostId, hostName: this.request.hostName, build: buildInfo.buildId, writtenAt: new Date(clock.nowMs()).toISOString(),
      healthy: this.#still().length === 0, states: stateSource(), quarantined: quarantined(this.#context.state, clock.nowMs()), messages: { ...this.#sender.counts }, latestMessage: this.#sender.latest, events: this.#events, listening: this.#listening,
      loops: this.#loops.map(({ name, periodSeconds, lastSuccessMs }) => ({
        category: name, periodSeconds, ageSeconds: lastSuccessMs === undefined ? undefined : Math.round((now - lastSuccessMs) / 1000), lastProblem: this.#problems.get(name),
      })),
    };
  }
}
