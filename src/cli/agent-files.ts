import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import type { MonitorConfiguration } from "../core/monitor-configuration.ts";
import type { Files, Log } from "../core/ports.ts";
import { PCI_NAMES_DIRECTORY } from "../monitor/pci-interface.ts";

/** Where agents have always kept their files (monitoring.md 14). */
export const ONE_DB = "/var/tmp/one_db";

/** Where the agent complains. */
export const AGENT_LOG = join(ONE_DB, "agent.log");

const PERIODS = ["BEACON_HOST", "SYSTEM_HOST", "MONITOR_HOST", "STATE_VM", "EXEC_VM", "MONITOR_VM"] as const;

/** Files of an agent that other programs of the host read (monitoring.md 3.3, 4.3, 8.5). A disk that is full or read-only is no reason not to report. */
export class AgentFiles {
  constructor(
    /** What was received, as XML. */
    private readonly text: string,
    private readonly configuration: MonitorConfiguration,
    private readonly files: Files,
    private readonly log: Log,
  ) {}

  /** Writes them all; again and again, because systemd-tmpfiles removes what nobody has touched for long. */
  keep(): void {
    this.#write(join(ONE_DB, "config"), this.text);
    this.#write(join(ONE_DB, "etc/monitord.conf"), monitordConf(this.configuration));
    for (const { path, text } of this.#pidFiles()) this.#write(path, text);
  }

  /** Names of network cards are good until the next start only. */
  clearNames(): void {
    this.#quietly(() => this.files.remove(PCI_NAMES_DIRECTORY));
  }

  /** Removes the pid files unless a later agent has written its own: a signal for us must not reach a stranger. */
  removePids(): void {
    for (const { path, text } of this.#pidFiles()) this.#quietly(() => void (this.files.findText(path, 64) === text && this.files.remove(path)));
  }

  #pidFiles(): readonly { readonly path: string; readonly text: string }[] {
    return [
      { path: join(ONE_DB, ".monitor_client.pid"), text: String(process.pid) },
      { path: `/tmp/one-monitord-${this.configuration.hostId}.pid`, text: `${process.pid}\n` },
    ];
  }

  #write(path: string, text: string): void {
    this.#quietly(() => this.files.writeAtomic(path, text, 0o640, { flush: false }));
  }

  #quietly(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.log.log("WARN", messageOf(error));
    }
  }
}

/** Scripts of OpenNebula read it line by line, with grep. */
function monitordConf({ address, port, publicKey, periods }: MonitorConfiguration): string {
  const lines = [
    "NETWORK = [", `    MONITOR_ADDRESS = "${address}",`, `    PORT            = ${port},`, `    PUBKEY          = "${(publicKey ?? "").trim()}",`, "]", "",
    "PROBES_PERIOD = [", ...PERIODS.map((name) => `    ${name.padEnd(14)} = ${periods[name]},`), "]", "",
  ];
  return lines.join("\n");
}
