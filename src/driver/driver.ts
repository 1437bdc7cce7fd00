import { messageOf } from "../core/errors.ts";
import { logLine, parseRequestLine, resultLine } from "../codec/oned-line.ts";
import { peekHost } from "../codec/driver-message.ts";
import { redactPayload } from "../codec/redact-message.ts";
import { findAction } from "./action-table.ts";
import { runAction } from "./engine.ts";
import type { Request } from "./facts.ts";
import { Journal } from "./journal.ts";
import { FAREWELL_SECONDS, LAST_GRACE_SECONDS } from "./limits.ts";
import { sameId } from "./queue.ts";
import { noticing } from "./supervise.ts";
import type { World } from "./world.ts";

interface Running {
  readonly id: string;
  readonly control: AbortController;
}

/** How the driver tells its parts that it ends. */
export interface Ending {
  /** Nothing new is begun, no roll-back either. */
  readonly begun: AbortController;
  /** What still runs is ended. */
  readonly abandoned: AbortController;
}

/** The conversation with oned: lines in, results out (driver-protocol.md 2, 3, 8). */
export class Driver {
  /** Settles when the driver has ended: nothing runs any more. */
  readonly ended: Promise<void>;
  readonly #running = new Set<Running>();
  #settleEnded: () => void = () => undefined;
  #isEnding = false;

  constructor(private readonly world: World, private readonly ending: Ending) {
    this.ended = new Promise((resolve) => (this.#settleEnded = resolve));
  }

  /** One line of oned, without its line feed. A defect of ours in reading one must not end the conversation. */
  line(text: string): void {
    try {
      this.#read(text);
    } catch (error) {
      this.world.output.line(logLine("E", "-1", `Cannot handle a line of oned: ${messageOf(error)}`));
    }
  }

  /** Takes nothing more, and lets what runs come to its end for a while; then ends it. oned kills after 10 s (driver-protocol.md 2.2). */
  finalize(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.ending.begun.abort();
    this.world.queue.close();
    this.world.shelf.clear();
    const stop = this.world.timers.after(FAREWELL_SECONDS * 1000, () => this.abandon());
    void this.ended.then(stop);
    this.#endWhenIdle();
  }

  /** Ends what still runs. Its results go nowhere any more. */
  abandon(): void {
    this.finalize();
    this.ending.abandoned.abort();
    for (const { control } of this.#running) control.abort();
    this.world.timers.after((LAST_GRACE_SECONDS + 1) * 1000, () => this.#settleEnded());
  }

  #read(text: string): void {
    const request = parseRequestLine(text, (action) => findAction(action) !== undefined);
    switch (request.kind) {
      case "ignored": return;
      case "unknown": return this.world.output.line(logLine("W", "-1", request.reason));
      case "refused": return this.#answer(request.action, request.id, false, request.reason);
      case "cancel": return this.#cancel(request.id);
      case "control": return request.action === "INIT" ? this.world.output.line("INIT SUCCESS - -\n") : this.finalize();
      case "action": return this.#accept(request);
    }
  }

  #accept(request: Request): void {
    if (this.#isEnding) return;
    this.world.recorder?.record({ event: "request", action: request.action, id: request.id, line: replayLine(request) });
    // Without -p the host decides who waits; a host that only a full reading can tell waits for nobody, like upstream.
    const host = peekHost(request.payload);
    const journal = new Journal(this.world.output, request.id);
    const stop = noticing((seconds) => journal.queued(`its turn on ${host ?? "the front-end"}`, seconds), this.world.timers);
    this.world.queue.add(request.id, host, (release) => (stop(), void this.#run(request, release)), stop);
  }

  async #run(request: Request, release: () => void): Promise<void> {
    const running: Running = { id: request.id, control: new AbortController() };
    this.#running.add(running);
    const { success, info } = await runAction(request, this.world, running.control.signal);
    this.#running.delete(running);
    if (!running.control.signal.aborted) this.#answer(request.action, request.id, success, info);
    release();
    this.#endWhenIdle();
  }

  /** Stops the work of one VM: oned has already decided the outcome, so no result is sent (driver-protocol.md 8). */
  #cancel(id: string): void {
    const running = [...this.#running].find((each) => sameId(each.id, id) && !each.control.signal.aborted);
    if (running) running.control.abort();
    else this.world.queue.remove(id);
    this.world.output.line(logLine("I", id, `Driver command for ${id} cancelled`));
  }

  #answer(action: string, id: string, success: boolean, info: string): void {
    this.world.output.line(resultLine(action, success, id, info));
    this.world.recorder?.record({ event: "result", action, id, success, info: info.slice(0, 4000) });
  }

  #endWhenIdle(): void {
    if (this.#isEnding && this.#running.size === 0) this.#settleEnded();
  }
}

/** The request as it can be given to a driver again. */
function replayLine({ action, id, payload, oldForm }: Request): string {
  return `${action} ${oldForm ? "" : " "}${id} ${redactPayload(payload)}`;
}
