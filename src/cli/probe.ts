import { contextOf, findTree, readGeneration, readSettings, type Surroundings } from "../context.ts";
import { ERRORS, messageOf, OnevirtError } from "../core/errors.ts";
import { DEFAULT_DATASTORE_LOCATION, DEFAULT_PERIODS } from "../core/monitor-configuration.ts";
import { logLine } from "../core/report.ts";
import { findProbe, probeFor, probes } from "../probes/table.ts";

/** `onevirt probe CATEGORY/NAME [DRIVER HOST_ID HOST_NAME]`: what the agent would report, on stdout. Without a name, all are listed. */
export async function probeMain([name = "", driver = "kvm", hostId = "-1", hostName = "localhost"]: readonly string[]): Promise<number> {
  if (name === "" || name === "--help" || name === "-h") return listProbes();
  try {
    const probe = findProbe(name) ?? probeFor(name.slice(0, name.lastIndexOf("/")), name.slice(name.lastIndexOf("/") + 1)); // launchers know files only
    if (!probe) throw new OnevirtError("BAD_ARGUMENT", `there is no probe ${JSON.stringify(name)}`, { hint: "onevirt probe lists them" });
    const tree = findTree(process.env, process.execPath);
    const surroundings: Surroundings = { tree, trace: process.env.ONEVIRT_TRACE, tracer: undefined, generation: readGeneration(tree), log: { log: (severity, text) => console.error(logLine(severity, name, text)) } };
    const { settings } = await readSettings(surroundings);
    using context = contextOf(settings, surroundings, { readOnly: false, limitSeconds: probe.limitSeconds });
    const request = { driver: driver === "qemu" ? "qemu" : "kvm", hostId: Number(hostId), hostName, configuration: { datastoreLocation: DEFAULT_DATASTORE_LOCATION, periods: DEFAULT_PERIODS } } as const;
    process.stdout.write(await (await probe.load()).run(request, context));
    return 0;
  } catch (error) {
    const hint = error instanceof OnevirtError && error.hint ? `\nHint: ${error.hint}.` : "";
    console.error(`Cannot run probe ${name}: ${messageOf(error)}.${hint}`);
    return error instanceof OnevirtError ? ERRORS[error.code].exit : 1;
  }
}

function listProbes(): number {
  const width = Math.max(...Object.keys(probes).map((name) => name.length)) + 2;
  console.log("Usage: onevirt probe CATEGORY/NAME [DRIVER HOST_ID HOST_NAME]\n");
  console.log(Object.entries(probes).map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`).join("\n"));
  return 0;
}
