import { messageOf, OnevirtError } from "../core/errors.ts";
import type { AgentIdentity } from "../host/other-agents.ts";
import { ownTree } from "./agent-surroundings.ts";

/** What the front-end expects of a start that failed. */
const CANNOT_START = 255;

const HELP = `Usage: onevirt agent COMMAND

The resident process that reports this host to onemonitord, and lends its libvirt threads to actions.

  start DRIVER HOST_ID HOST_NAME   start it, as run_monitord_client does: configuration on stdin, first answer on stdout
  run DRIVER HOST_ID HOST_NAME     the same in the foreground
  stop DRIVER HOST_ID HOST_NAME    end it, and upstream's agent too
  status [--json]                  loops, age of each report, messages sent and failed, events seen

DRIVER is kvm or qemu. Signals: SIGUSR1 reports the host's facts at once. SIGHUP looks at once, as it does each minute,
whether its executable was replaced (the new one takes over) or /etc/onevirt/off asks for upstream's agent (it ends).`;

/** `onevirt agent …`, also as run_monitord_client and stop_monitord_client (monitoring.md 3). */
export async function agentMain(argv: readonly string[]): Promise<number> {
  const [command = "help", ...rest] = argv;
  try {
    switch (command) {
      case "start": return await (await import("./agent-start.ts")).startAgent(whoIs(rest));
      // The path of upstream's program comes first, for whoever looks for agents on command lines.
      case "run": return await (await import("./agent-run.ts")).runAgent(whoIs(rest.at(0)?.startsWith("/") ? rest.slice(1) : rest));
      case "stop": return await (await import("./agent-start.ts")).stopAgent(whoIs(rest));
      case "status": return await (await import("./agent-status.ts")).showStatus(rest.includes("--json"));
      case "help": case "--help": case "-h": console.log(HELP); return 0;
      default: throw new OnevirtError("BAD_ARGUMENT", `there is no "onevirt agent ${command}"`, { hint: "onevirt agent --help" });
    }
  } catch (error) {
    console.error(error instanceof OnevirtError && error.hint ? `${error.message}\nHint: ${error.hint}.` : messageOf(error));
    return command === "status" || command === "stop" ? 1 : CANNOT_START;
  }
}

function whoIs([driver = "", hostId = "", hostName = ""]: readonly string[]): AgentIdentity {
  if (driver !== "kvm" && driver !== "qemu") throw new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(driver)} is no driver of this agent`, { hint: "kvm or qemu" });
  if (!/^\d{1,9}$/.test(hostId) || hostName === "" || /[\s\p{Cc}]/u.test(hostName)) throw new OnevirtError("BAD_ARGUMENT", "the number and the name of the host are expected", { hint: "onevirt agent start kvm 0 host" });
  return { tree: ownTree(), driver, hostId: Number(hostId), hostName };
}
