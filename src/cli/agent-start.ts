import { readMonitorConfiguration } from "../codec/monitor-configuration.ts";
import { decodeDocument } from "../codec/stdin-document.ts";
import { OnevirtError } from "../core/errors.ts";
import { openLog } from "../host/agent-log.ts";
import { HostFiles } from "../host/files.ts";
import { type AgentIdentity, agentWords, endAgents } from "../host/other-agents.ts";
import { AGENT_LOG } from "./agent-files.ts";
import { configurationFromStdin } from "./agent-surroundings.ts";
import { foreigners, turn } from "./resident-process.ts";

/** The first answer must come within the driver's 90 s. */
const ANSWER_MS = 80_000;

type Child = Bun.Subprocess<Buffer, "pipe", number | "ignore">;

/** Ends older agents, starts ours apart from this process, and passes its first answer on. A configuration that cannot be used ends nobody. */
export async function startAgent(identity: AgentIdentity): Promise<number> {
  const text = decodeDocument(await configurationFromStdin(), "the monitoring configuration");
  await readMonitorConfiguration(text, process.env.SSH_CLIENT);
  const child = await replaceAgents(identity, text);
  const answer = await Promise.race([firstLines(child.stdout), child.exited.then(() => ""), Bun.sleep(ANSWER_MS).then(() => "")]);
  if (answer !== "") {
    console.log(answer.trimEnd());
    child.unref();
    return 0;
  }
  child.kill("SIGKILL");
  throw new OnevirtError("NOT_DONE", `The agent gave no first answer: ${(new HostFiles().findText(AGENT_LOG) ?? "").trim().split("\n").at(-1) ?? ""}`);
}

/**
 * The runtime's allocator has a thread that looks four times a second, all day, for pages to give back: half of what an agent at rest
 * costs. Told not to wait, it has none, and gives them back at once: keeping them instead costs 7 MiB. Garbage is collected when the heap
 * has grown by a MiB, by whoever made it: to wait longer takes 2 MiB and saves nothing, and a timer that does it a second after each pass,
 * and helpers for a heap of 6 MiB, cost a quarter more, and 10 MiB. And code that runs for a millisecond every few seconds is not worth
 * its compilers, which take 8 MiB.
 */
export const QUIET = {
  MIMALLOC_PURGE_DELAY: "0", MIMALLOC_ALLOW_THP: "0", BUN_GC_TIMER_DISABLE: "1", BUN_JSC_useConcurrentGC: "0", BUN_JSC_gcMaxHeapSize: String(1024 * 1024),
  BUN_JSC_useBaselineJIT: "0", BUN_JSC_useDFGJIT: "0",
};

/** Ends the agents of this host. */
export async function stopAgent(identity: AgentIdentity): Promise<number> {
  const left = foreigners(await endAgents(identity));
  if (left) throw left;
  return 0;
}

async function replaceAgents(identity: AgentIdentity, text: string): Promise<Child> {
  using _turn = await turn(`.agent-${identity.hostId}.lock`);
  const left = foreigners(await endAgents(identity));
  if (left) console.error(left.message); // two reports of a host are better than none
  // Its command line ends with these words, so that upstream's control script can stop it after a way back.
  return Bun.spawn({ cmd: [process.execPath, "agent", "run", ...agentWords(identity)], env: { ...process.env, ...QUIET }, stdin: Buffer.from(text), stdout: "pipe", stderr: openLog(AGENT_LOG), detached: true });
}

async function firstLines(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("</MONITOR_MESSAGES>")) return text;
  }
  return "";
}
