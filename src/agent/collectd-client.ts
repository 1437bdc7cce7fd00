import { collectdMessage, MOST_COLLECTD_BYTES, REDUCTIONS } from "../codec/collectd-message.ts";
import { messageOf } from "../core/errors.ts";
import type { Context } from "../core/ports.ts";
import type { ProbeRequest } from "../probes/probe.ts";
import { Loop } from "./loop.ts";
import type { AgentWorld } from "./ports.ts";
import { type PassPart, type PassResult, Probes } from "./probe-pass.ts";

/** This many passes in a row that brought nothing at all, and the front-end hears of it: it would put all VMs to UNKNOWN. */
const PATIENCE = 3;

/** The driver waits 90 s for the first answer; what has not answered by then is left out. */
const FIRST_ANSWER_SECONDS = 45;

/** A report waits for its slowest probe, so none has longer than this, or than the interval. */
const PASS_SECONDS = 30;
const LEAST_SECONDS = 5;

/** Something to leave out of a report. */
interface Step {
  readonly lacks: string;
  readonly reduce: (parts: readonly PassPart[]) => readonly PassPart[];
}

const onEach = ({ lacks, reduce }: (typeof REDUCTIONS)[number]): Step => ({ lacks, reduce: (parts) => parts.map((part) => ({ ...part, text: reduce(part.text) })) });

/** What a report that is too long loses, step by step; the last step is never taken, it ends the search. */
const STEPS: readonly Step[] = [
  ...REDUCTIONS.slice(0, 1).map(onEach),
  { lacks: "what other people's probes say", reduce: (parts) => parts.filter(({ isOurs }) => isOurs) },
  ...REDUCTIONS.slice(1).map(onEach),
  { lacks: "everything", reduce: (parts) => parts },
];

/** The client of a 5.x front-end: all probes in one message, at an interval, to collectd (monitoring.md 11.1). */
export class CollectdClient {
  readonly counts = { sent: 0, failed: 0 };
  readonly #probes: Probes;
  readonly #loop: Loop;
  readonly #context: Context;
  #emptyPasses = 0;
  #told = "";

  constructor(
    private readonly request: ProbeRequest,
    private readonly intervalSeconds: number,
    private readonly world: AgentWorld,
  ) {
    this.#context = world.contextFor(PASS_SECONDS);
    this.#probes = new Probes(request, world, this.#context.clock);
    this.#loop = new Loop("collectd", intervalSeconds, this.#context.clock, () => this.#pass());
  }

  /** What all probes say, for the driver. Throws when none says anything. */
  async firstAnswer(): Promise<string> {
    const pass = await this.#probes.passWithin("collectd", FIRST_ANSWER_SECONDS);
    this.#note(pass);
    if (pass.text.trim() === "") throw new Error(reasonOf(pass));
    return pass.text;
  }

  /** Reports until it is stopped; first after a part of the interval, so that hosts that were started together do not report together. */
  async run(share: number): Promise<void> {
    await this.#loop.run(Math.min(1, Math.max(0, share)) * this.intervalSeconds * 1000);
  }

  /** A report now (SIGHUP, since 5.8). */
  sendNow(): void {
    this.#loop.ask();
  }

  stop(): void {
    this.#loop.stop();
  }

  async #pass(): Promise<void> {
    const pass = await this.#probes.passWithin("collectd", Math.max(LEAST_SECONDS, Math.min(PASS_SECONDS, this.intervalSeconds)));
    this.#note(pass);
    const failed = pass.text.trim() === "";
    this.#emptyPasses = failed ? this.#emptyPasses + 1 : 0;
    if (failed && this.#emptyPasses < PATIENCE) throw new Error(reasonOf(pass)); // tried again soon, and not told
    await this.#send(failed ? this.#message(false, reasonOf(pass)) : this.#fitting(pass));
  }

  /** A lost datagram is nobody's to know; one that cannot leave is tried again soon. */
  async #send(message: string): Promise<void> {
    try {
      await this.world.transport.udp(message);
      this.counts.sent++;
    } catch (error) {
      this.counts.failed++;
      this.#context.log.log("WARN", `The report was not sent: ${messageOf(error)}`);
      throw error;
    }
  }

  /** There is no second way to collectd, so what is too long for a datagram loses what matters least. */
  #fitting({ text, parts }: PassResult): string {
    let rest: readonly PassPart[] = [{ file: "", isOurs: true, text }];
    const lacks: string[] = [];
    for (const { lacks: what, reduce } of STEPS) {
      const message = this.#message(true, rest.map((part) => part.text).join(""));
      if (message.length <= MOST_COLLECTD_BYTES) return this.#warned(message, lacks);
      rest = reduce(lacks.length === 0 ? parts : rest);
      lacks.push(what);
    }
    throw new Error("it does not fit into a datagram, whatever is left out");
  }

  #warned(message: string, lacks: readonly string[]): string {
    if (lacks.length > 0) this.#context.log.log("WARN", `The report is too long for a datagram, so it lacks ${lacks.join(", ")}`);
    return message;
  }

  #message(success: boolean, text: string): string {
    return collectdMessage({ hostId: this.request.hostId, success, text });
  }

  #note({ failures }: PassResult): void {
    const text = failures.join("; ");
    if (text !== "" && text !== this.#told) this.#context.log.log("WARN", text);
    this.#told = text;
  }
}

function reasonOf({ failures }: PassResult): string {
  return failures.join("; ") || "there are no probes, or they say nothing";
}
