import { closing, copyBytes, digestOfText, writeAll } from "./bytes.ts";
import type { Wanted } from "./decision.ts";
import type { FileRecord } from "./manifest.ts";
import { isMonitoring, type Monitor } from "./monitoring.ts";
import { type Parts, treeFiles } from "./parts.ts";
import type { Program } from "./program.ts";
import { DATA_MODE, executablePath, EXECUTABLE_MODE, SETTINGS_PATH, upstreamPath, type TreeFile } from "./tree.ts";

/** What install puts into a tree, whatever is there: the executable, the settings, and the launchers of the parts that are wanted. */
export function wantedFiles(program: Program, parts: Parts, monitor: Monitor): readonly Wanted[] {
  const { sha256, write } = program;
  return [{ path: executablePath(program.arch), role: "program", mode: EXECUTABLE_MODE, sha256, write }, ...treeFiles(parts, monitor).map(wantedText)];
}

/** The working copy of a script that a launcher replaces; `open` opens the script. Among probes everything executable would be run as one more. */
export function wantedUpstream(script: string, { sha256 }: FileRecord, open: () => number): Wanted {
  return { path: upstreamPath(script), role: "upstream", mode: isMonitoring(script) ? DATA_MODE : EXECUTABLE_MODE, sha256, write: (fd) => closing(open(), (file) => copyBytes(file, fd)) };
}

/** What kind of file of ours stands at a path. */
export function roleOf(path: string): Wanted["role"] {
  if (path === SETTINGS_PATH) return "settings";
  if (path.startsWith("onevirt/")) return "program";
  return /(^|\/)upstream-[^/]*$/.test(path) ? "upstream" : "launcher";
}

function wantedText({ path, mode, text }: TreeFile): Wanted {
  return { path, role: roleOf(path), mode, sha256: digestOfText(text), write: (fd) => writeAll(fd, Buffer.from(text)) };
}
