import { buildInfo } from "../core/build-info.ts";

/** `onevirt version [--json]`. Loads nothing else, so that it also tells what starting costs. */
export function version(argv: readonly string[]): number {
  const unknown = argv.find((word) => word !== "--json");
  if (unknown !== undefined) {
    console.error(`Cannot print the version: unknown argument ${JSON.stringify(unknown)}`);
    return 2;
  }
  if (argv.includes("--json")) console.log(JSON.stringify({ format: 1, ...buildInfo }, null, 2));
  else console.log(`onevirt ${buildInfo.version} (build ${buildInfo.buildId}, commit ${buildInfo.commit}, Bun ${buildInfo.bun}, ${buildInfo.target}, libvirt ${buildInfo.libvirt.oldest} or later)`);
  return 0;
}
