import { basename } from "node:path";
import { findAction } from "./actions/table.ts";
import { ROOT_NAMES, type RootName } from "./root/place.ts";
import { borrowThread, startThread } from "./thread.ts";

/** Names under which the executable is oned's driver process. */
const DRIVER_NAMES: ReadonlySet<string> = new Set(["one_vmm_exec", "one_vmm_sh", "one_vmm_ssh"]);

/** Names under which it starts and ends the agent. */
const AGENT_NAMES: Readonly<Record<string, string>> = { run_monitord_client: "start", stop_monitord_client: "stop" };

process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);

// An abandoned thread may still be inside libvirt; it ends with the process.
process.exit(await main(basename(process.argv0), process.argv.slice(2)));

/** How was I called? One row, load it, exit code. */
async function main(name: string, argv: readonly string[]): Promise<number> {
  if (findAction(name)) return action(name, argv);
  if (isRootName(name)) return (await import("./root/entry.ts")).rootMain(name, argv, process.env);
  if (DRIVER_NAMES.has(name)) return (await import("./cli/driver.ts")).driverMain(argv, name);
  if (Object.hasOwn(AGENT_NAMES, name)) return (await import("./cli/agent.ts")).agentMain([AGENT_NAMES[name] ?? "", ...argv]);
  const [command = "help", ...rest] = argv;
  if (command === "vmm" && rest[0] === "migrate" && rest[1] === "--plan") return (await import("./cli/migrate-plan.ts")).migratePlan(rest.slice(1));
  if (command === "vmm" && rest[0] !== undefined && !rest[0].startsWith("-")) return action(rest[0], rest.slice(1));
  if (command === "version" || command === "--version" || command === "-v") return (await import("./cli/version.ts")).version(rest);
  if (command === "driver") return (await import("./cli/driver.ts")).driverMain(rest, "onevirt driver");
  if (command === "agent") return (await import("./cli/agent.ts")).agentMain(rest);
  if (command === "collectd") return (await import("./cli/collectd.ts")).collectdMain(rest);
  if (command === "probe") return (await import("./cli/probe.ts")).probeMain(rest);
  return (await import("./cli/root.ts")).runCli(argv);
}

/** The names under which sudo calls root's own copy. */
function isRootName(name: string): name is RootName {
  return (ROOT_NAMES as readonly string[]).includes(name);
}

/** Threads go first: they greet, or load libvirt, while this one reads code and configuration. */
async function action(name: string, argv: readonly string[]): Promise<number> {
  const lend = () => borrowThread(process.env.ONEVIRT_RESIDENT);
  const { longCalls, elsewhere = 0 } = findAction(name) ?? {};
  const ahead = { thread: elsewhere === 2 ? undefined : lend(), longThread: longCalls && lend(), elsewhereThreads: Array.from({ length: elsewhere }, startThread) };
  return (await import("./run-action.ts")).runAction(name, argv, ahead);
}

/** What nobody caught is our defect: one line, and the stack only for who asks. */
function fail(error: unknown): never {
  console.error(`Cannot go on: ${error instanceof Error ? error.message : String(error)}`);
  if (process.env.ONEVIRT_DEBUG) console.error(error);
  process.exit(1);
}
