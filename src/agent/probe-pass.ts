import { messageOf } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";
import type { ProbeCategory, ProbeRequest } from "../probes/probe.ts";
import { probeFor } from "../probes/table.ts";
import type { AgentWorld, ForeignProbe } from "./ports.ts";

/** What one pass over a category brought. */
export interface PassResult {
  readonly text: string;
  /** What failed, by file. */
  readonly failures: readonly string[];
}

/** A stranger's program is ended after 60 s; this much later nobody waits for its output any more. */
const STRANGER_SECONDS = 65;

/** A probe keeps its own limit; one that does not is left behind this much later. */
const GRACE_SECONDS = 1;

/** Missing lines of the host's facts are facts too (no PCI device, no wild VM), so what a failed probe said before is said again. */
const REPEATED: ProbeCategory = "host/system";

/** The probes of all categories: what each said last, and which of them have not come back. */
export class Probes {
  readonly #running = new Set<string>();
  readonly #last = new Map<string, string>();

  constructor(
    private readonly request: ProbeRequest,
    private readonly world: AgentWorld,
    private readonly clock: Clock,
  ) {}

  /**
   * Runs everything in a category's directory, in the order of the names (monitoring.md 4.6): our own probe where a file has the name of
   * one, else the program. Upstream throws everything away when one fails; here what is known is kept, and what failed is named.
   */
  async pass(category: ProbeCategory): Promise<PassResult> {
    const texts: string[] = [];
    const failures: string[] = [];
    for (const foreign of this.world.filesOf(category)) {
      const name = `${category}/${foreign.file}`;
      try {
        const text = await this.#guarded(name, category, foreign);
        if (category === REPEATED) this.#last.set(name, text);
        texts.push(text);
      } catch (error) {
        texts.push(this.#last.get(name) ?? "");
        failures.push(`Error executing ${foreign.file}: ${messageOf(error)}`);
      }
    }
    return { text: texts.map(withLineEnd).join(""), failures };
  }

  /** One that does not come back is left alone until it does. */
  async #guarded(name: string, category: ProbeCategory, foreign: ForeignProbe): Promise<string> {
    if (this.#running.has(name)) throw new Error("it has not come back from the pass before");
    this.#running.add(name);
    const { work, seconds } = this.#runOne(category, foreign);
    const ended = work.finally(() => this.#running.delete(name));
    ended.catch(() => undefined); // of no interest once it is late
    return Promise.race([ended, this.clock.sleep(seconds * 1000).then(() => Promise.reject(new Error(`no answer within ${seconds} s`)))]);
  }

  #runOne(category: ProbeCategory, foreign: ForeignProbe): { readonly work: Promise<string>; readonly seconds: number } {
    const own = probeFor(category, foreign.file);
    if (!own) return { work: runStranger(foreign), seconds: STRANGER_SECONDS };
    const context = this.world.contextFor(category, own.limitSeconds);
    return { work: own.load().then(({ run }) => run(this.request, context)), seconds: own.limitSeconds + GRACE_SECONDS };
  }
}

async function runStranger(foreign: ForeignProbe): Promise<string> {
  const { exitCode, stdout, stderr } = await foreign.run();
  if (exitCode !== 0) throw new Error(stderr.trim() || `exit code ${exitCode}`);
  return stdout;
}

function withLineEnd(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
