import { Glob } from "bun";
import { join } from "node:path";

/** The top of the checkout. */
export const TOP = join(import.meta.dir, "..");

/** One import of a source file. Types alone do not count: they are gone when the program runs. */
export interface SourceImport {
  /** The importing file, from the top: `src/vm/outcome.ts`. */
  readonly file: string;
  /** What is imported: a file from the top, or the name of a package or built-in module. */
  readonly to: string;
  /** Through `import()`: loaded only when that line runs. */
  readonly lazy: boolean;
}

/** All TypeScript sources of the program, sorted. */
export const sources: readonly string[] = [...new Glob("src/**/*.ts").scanSync(TOP)].filter((file) => !file.endsWith(".d.ts")).sort();

const transpiler = new Bun.Transpiler({ loader: "ts" });

/** The imports of one source file. */
export async function importsOf(file: string): Promise<readonly SourceImport[]> {
  const found = transpiler.scanImports(await Bun.file(join(TOP, file)).text());
  return found.map(({ path, kind }) => ({ file, to: path.startsWith(".") ? new URL(path, `file:///${file}`).pathname.slice(1) : path, lazy: kind === "dynamic-import" }));
}

/** The imports of all sources. */
export async function allImports(): Promise<readonly SourceImport[]> {
  return (await Promise.all(sources.map(importsOf))).flat();
}

/** The folder below src that a file belongs to; files directly in src are "top". Undefined for a package. */
export function folderOf(path: string): string | undefined {
  const [first, folder, ...rest] = path.split("/");
  if (first === "remotes") return "remotes"; // the shipped text, embedded
  if (first !== "src") return undefined;
  return rest.length > 0 ? folder : "top";
}

/** The package of an import: `zod/v4` is zod; `node:fs` and `bun:ffi` stay. */
export function packageOf(to: string): string {
  return to.startsWith("@") ? to.split("/").slice(0, 2).join("/") : (to.split("/", 1)[0] ?? to);
}
