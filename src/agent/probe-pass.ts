import { parseTemplate } from "../codec/template.ts";
import { messageOf } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";
import type { ProbeCategory, ProbeRequest } from "../probes/probe.ts";
import { probeFor } from "../probes/table.ts";
import { HostFacts } from "./host-facts.ts";
import type { AgentWorld, ForeignProbe } from "./ports.ts";

/** What one pass over a category brought. */
export interface PassResult {
  readonly text: string;
  /** The same, by file. */
  readonly parts: readonly PassPart[];
  /** What failed, by file. */
  readonly failures: readonly string[];
  /** A list that the front-end takes as a whole is missing: its probe failed, and nobody knows what it said before. */
  readonly isIncomplete: boolean;
}

/** What one file said. */
export interface PassPart {
  readonly file: string;
  /** Whether it has the place of a probe of ours. */
  readonly isOurs: boolean;
  readonly text: string;
}

/** A stranger's program is ended after 60 s; this much later nobody waits for its output any more. */
const STRANGER_SECONDS = 65;

/** A probe keeps its own limit; one that does not is left behind this much later. */
const GRACE_SECONDS = 1;

/**
 * Missing lines of the host's facts are facts too (no PCI device, no wild VM; for 5.x no TOTALCPU is 0), so what a failed probe said
 * before is said again; of the host's own message also what it said to the agent before. Never a list of VMs that calls itself complete:
 * VMs that have come since then would be powered off.
 */
const REPEATED: ReadonlySet<ProbeCategory> = new Set(["host/system", "collectd"]);
const KEPT: ProbeCategory = "host/system";
const COMPLETE_LIST = /^\s*VM_POLL\s*=/m;

/** The probes of all categories: what each said last, and which of them have not come back. */
export class Probes {
  readonly #running = new Set<string>();
  readonly #last = new Map<string, string>();
  readonly #facts: HostFacts;

  constructor(
    private readonly request: ProbeRequest,
    private readonly world: AgentWorld,
    private readonly clock: Clock,
    /** Hears what a probe of ours says after it was given up, as when the whole process was stopped for a while: it believes that it was heard. */
    private readonly late: (category: ProbeCategory, text: string) => void = () => undefined,
  ) {
    this.#facts = new HostFacts(request.hostId, { ...world.contextFor(GRACE_SECONDS), clock });
  }

  /**
   * Runs everything in a category's directory, in the order of the names (monitoring.md 4.6): our own probe where a file has the name of
   * one, else the program. Upstream throws everything away when one fails; here what is known is kept, and what failed is named.
   */
  async pass(category: ProbeCategory): Promise<PassResult> {
    const said: Said[] = [];
    for (const foreign of this.world.filesOf(category)) said.push(await this.#say(category, foreign));
    if (category === KEPT) this.#facts.keep();
    return resultOf(said);
  }

  /** The same, all at once and within this time: what comes later is not waited for. For a message that holds everything; what must not grow old comes last. */
  async passWithin(category: ProbeCategory, seconds: number): Promise<PassResult> {
    const files = this.world.filesOf(category);
    const isLast = ({ file }: ForeignProbe) => probeFor(category, file)?.last === true;
    const say = (wanted: boolean) => Promise.all(files.filter((each) => isLast(each) === wanted).map((foreign) => this.#say(category, foreign, seconds)));
    const said = new Map([...(await say(false)), ...(await say(true))].map((each) => [each.file, each]));
    return resultOf(files.flatMap(({ file }) => said.get(file) ?? []));
  }

  /** What a pass over a category may take, seconds: its files follow each other. */
  limitSeconds(category: ProbeCategory): number {
    return this.world.filesOf(category).reduce((sum, { file }) => sum + limitOf(category, file), 0);
  }

  /** What one file says, or said before; an error becomes words. */
  async #say(category: ProbeCategory, foreign: ForeignProbe, mostSeconds = Infinity): Promise<Said> {
    const { file } = foreign;
    const name = `${category}/${file}`;
    const own = probeFor(category, file);
    const isOurs = own !== undefined;
    try {
      const text = withLineEnd(await this.#guarded(name, category, foreign, mostSeconds));
      this.#note(category, name, text);
      return { file, isOurs, text };
    } catch (error) {
      const before = this.#last.get(name) ?? this.#facts.find(name);
      return { file, isOurs, text: before ?? "", failure: `Error executing ${file}: ${messageOf(error)}`, isMissing: own?.isList === true && before === undefined };
    }
  }

  #note(category: ProbeCategory, name: string, text: string): void {
    if (category === KEPT) this.#facts.note(name, text);
    else if (REPEATED.has(category) && !COMPLETE_LIST.test(text)) this.#last.set(name, text);
  }

  /** One that does not come back is left alone until it does. */
  async #guarded(name: string, category: ProbeCategory, foreign: ForeignProbe, mostSeconds: number): Promise<string> {
    if (this.#running.has(name)) throw new Error("it has not come back from the pass before");
    this.#running.add(name);
    const { work, seconds: usual } = this.#runOne(category, foreign, mostSeconds);
    const seconds = Math.min(usual, mostSeconds);
    let isLate = false;
    const ended = work.finally(() => this.#running.delete(name));
    ended.then((text) => isLate && this.late(category, text)).catch(() => undefined); // an error is of no interest once it is late
    const limit = this.clock.sleep(seconds * 1000).then(() => Promise.reject(new Error(`no answer within ${seconds} s`)));
    return Promise.race([ended, limit]).finally(() => (isLate = true));
  }

  #runOne(category: ProbeCategory, foreign: ForeignProbe, mostSeconds: number): { readonly work: Promise<string>; readonly seconds: number } {
    const own = probeFor(category, foreign.file);
    const usual = limitOf(category, foreign.file);
    if (!own) return { work: runStranger(foreign, category), seconds: usual };
    const context = this.world.contextFor(Math.min(own.limitSeconds, mostSeconds));
    return { work: own.load().then(({ run }) => run(this.request, context)), seconds: usual };
  }
}

/** When a file of a category is given up, seconds. */
function limitOf(category: ProbeCategory, file: string): number {
  const own = probeFor(category, file);
  return own ? own.limitSeconds + GRACE_SECONDS : STRANGER_SECONDS;
}

interface Said extends PassPart {
  readonly failure?: string;
  readonly isMissing?: boolean;
}

function resultOf(said: readonly Said[]): PassResult {
  return { text: said.map(({ text }) => text).join(""), parts: said, failures: said.flatMap(({ failure }) => failure ?? []), isIncomplete: said.some(({ isMissing }) => isMissing) };
}

/** Output that oned cannot read would put the host into ERROR, whatever the others have said. A beacon's is not looked at. */
async function runStranger(foreign: ForeignProbe, category: ProbeCategory): Promise<string> {
  const { exitCode, stdout, stderr } = await foreign.run();
  if (exitCode !== 0) throw new Error(stderr.trim() || `exit code ${exitCode}`);
  if (category !== "host/beacon") parseTemplate(stdout, "its output");
  return stdout;
}

function withLineEnd(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
