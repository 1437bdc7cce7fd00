import { isAbsolute, normalize } from "node:path";
import { OnevirtError } from "../core/errors.ts";

/** A path argument of oned as we use it: absolute, without `..`, without control characters. BAD_ARGUMENT otherwise. The double slash of OpenNebula's paths is kept. */
export function checkHostPath(path: string, what: string): string {
  const problem = problemOf(path);
  if (problem) throw new OnevirtError("BAD_ARGUMENT", `Cannot use ${JSON.stringify(path.slice(0, 200))} as ${what}: ${problem}`);
  return path;
}

/** Whether two names lead to the same directory, as far as spelling goes (`/var/lib/one//datastores/0/7`). */
export function sameDirectory(a: string, b: string): boolean {
  return plain(a) === plain(b);
}

/** Whether `path` lies below `directory`, as far as spelling goes. */
export function isBelow(path: string, directory: string): boolean {
  return plain(path).startsWith(`${plain(directory)}/`);
}

function plain(path: string): string {
  return normalize(path).replace(/\/+$/, "");
}

function problemOf(path: string): string | undefined {
  if (path === "") return "it is empty";
  if (!isAbsolute(path)) return "it is not absolute";
  if (/\p{Cc}/u.test(path)) return "it holds a control character";
  if (path.split("/").includes("..")) return 'it holds ".."';
  if (path.endsWith("/")) return "it is a directory";
  return undefined;
}
