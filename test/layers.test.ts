import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { allImports, folderOf, importsOf, packageOf, sources, TOP, type SourceImport } from "./source-imports.ts";

interface Layer {
  /** Siblings do not import each other: all of these stand on lower floors. */
  readonly floor: number;
  /** Folders, or single files, below src. */
  readonly imports: readonly string[];
  /** Packages and built-in modules. */
  readonly packages: readonly string[];
}

/** Modules of the runtime that only compute. */
const PURE = ["node:crypto", "node:path", "node:zlib"];

/** Modules of the runtime that reach the operating system. */
const SYSTEM = ["node:fs", "node:fs/promises", "node:os", "node:path", "node:child_process", "node:net", "node:dgram"];

/** Who may import whom (style-models part 3). "top" are the files directly in src: main, run-action, context, worker and the like. */
const LAYERS: Readonly<Record<string, Layer>> = {
  core: { floor: 0, imports: [], packages: [] },
  codec: { floor: 1, imports: ["core"], packages: [...PURE, "fast-xml-parser"] },
  libvirt: { floor: 2, imports: ["core", "codec"], packages: ["bun:ffi"] },
  host: { floor: 2, imports: ["core", "codec"], packages: [...SYSTEM, "bun:ffi", "bun:sqlite"] },
  config: { floor: 2, imports: ["core", "codec"], packages: ["zod"] },
  vm: { floor: 3, imports: ["core", "codec"], packages: [] },
  root: { floor: 3, imports: ["core", "codec"], packages: ["node:fs", "node:path"] },
  domain: { floor: 3, imports: ["core", "codec"], packages: PURE },
  resident: { floor: 3, imports: ["core", "libvirt"], packages: ["bun", "bun:jsc"] },
  monitor: { floor: 4, imports: ["core", "codec", "vm"], packages: PURE },
  migration: { floor: 4, imports: ["core", "codec", "vm"], packages: PURE },
  actions: { floor: 5, imports: ["core", "codec", "vm", "domain", "monitor", "migration"], packages: PURE },
  probes: { floor: 5, imports: ["core", "codec", "vm", "domain", "monitor"], packages: PURE },
  agent: { floor: 6, imports: ["core", "codec", "vm", "domain", "monitor", "probes"], packages: PURE },
  driver: { floor: 6, imports: ["core", "codec", "src/actions/table.ts"], packages: PURE },
  remotes: { floor: 6, imports: ["core", "src/actions/table.ts", "src/probes/table.ts", "src/host/libc.ts"], packages: ["node:fs", "node:path"] },
  cli: { floor: 7, imports: ["core", "codec", "root", "libvirt", "host", "config", "vm", "domain", "monitor", "migration", "actions", "probes", "agent", "resident", "driver", "remotes", "top"], packages: [...SYSTEM, ...PURE, "citty", "consola"] },
  top: { floor: 8, imports: ["core", "codec", "root", "libvirt", "host", "config", "vm", "domain", "monitor", "migration", "actions", "probes", "agent", "resident", "driver", "remotes", "cli"], packages: SYSTEM },
};

/** Modules that only these files may import, beyond what the table says. */
const ONLY_IN: Readonly<Record<string, RegExp>> = {
  "bun:ffi": /^src\/(libvirt\/.*|host\/libc)\.ts$/,
  "fast-xml-parser": /^src\/codec\/xml\.ts$/,
  "bun:sqlite": /^src\/host\/series\.ts$/,
  zod: /^src\/config\/schema\.ts$/,
  citty: /^src\/cli\//,
  consola: /^src\/cli\//,
};

const LONGEST_FILE = 300;

/** Tables: one entry a line, and no logic to get lost in. */
const MAY_BE_LONGER: ReadonlySet<string> = new Set(["src/core/settings.ts", "src/actions/table.ts", "src/probes/table.ts", "src/driver/action-table.ts"]);

describe("layers", () => {
  test("layers has a row for every folder of src", () => {
    expect([...new Set(sources.map(folderOf))].filter((folder) => !Object.hasOwn(LAYERS, folder ?? ""))).toEqual([]);
  });

  test("layers point down only: no folder imports one of its own floor or above, but cli and top, which are entrances to each other", () => {
    const upward = Object.entries(LAYERS).flatMap(([folder, { floor, imports }]) =>
      imports.filter((to) => (LAYERS[to.startsWith("src/") ? (folderOf(to) ?? "") : to]?.floor ?? 99) >= floor).map((to) => `${folder} -> ${to}`),
    );
    expect(upward).toEqual(["cli -> top"]);
  });

  test.each(sources)("%s imports only what its folder may", async (file) => {
    const here = folderOf(file) ?? "";
    const layer = LAYERS[here];
    expect((await importsOf(file)).filter((each) => !isAllowed(each, here, layer)).map(({ to }) => to)).toEqual([]);
  });

  test("layers keep each package where it belongs", async () => {
    const strangers = (await allImports()).filter(({ file, to }) => folderOf(to) === undefined && ONLY_IN[packageOf(to)]?.test(file) === false);
    expect(strangers.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
  });
});

describe("start-up", () => {
  /** What runs for an action, the version and the worker thread; packages cost milliseconds there (style-models part 3, "Fast to start"). */
  const HOT = ["src/main.ts", "src/run-action.ts", "src/worker.ts", "src/cli/version.ts", ...sources.filter((file) => file.startsWith("src/actions/"))];

  test.each(HOT.filter((file) => sources.includes(file)))("%s reaches no package without import()", async (entry) => {
    const reached = await reachedAtOnce(entry);
    expect(reached.filter((to) => folderOf(to) === undefined && !/^(node|bun):/.test(to))).toEqual([]);
  });

  test("main reaches neither libvirt nor an action without import()", async () => {
    const reached = await reachedAtOnce("src/main.ts");
    expect(reached.filter((to) => folderOf(to) === "libvirt" || (folderOf(to) === "actions" && to !== "src/actions/table.ts"))).toEqual([]);
  });

  test("no module but an entry point touches files, the environment or a library while it is imported", async () => {
    const touching = await linesWith(/^(?!\s|export (async )?function|async function|function|import |\/\/|\/?\*|export (type|interface)|type |interface ).*(readFileSync|existsSync|statSync|openSync|mkdirSync|readdirSync|dlopen|process\.env|Bun\.(file|env|spawn)|new Worker|\bawait\b)/, ["src/main.ts", "src/worker.ts"]);
    expect(touching.filter((line) => !/=> /.test(line))).toEqual([]); // a function that is only defined
  });

  test("only the edges read the environment", async () => {
    const elsewhere = await linesWith(/\b(process|Bun)\.env\b/, ["src/main.ts", "src/context.ts", "src/run-action.ts"]);
    expect(elsewhere.filter((line) => !/^src\/(cli|host)\//.test(line))).toEqual([]);
  });

  test("only entry points end the process", async () => {
    expect(await linesWith(/\bprocess\.exit\(/, ["src/main.ts", "src/worker.ts", "src/cli/driver.ts"])).toEqual([]);
  });
});

describe("sources", () => {
  test.each(Object.keys(LAYERS).filter((folder) => folder !== "top"))("src/%s says in a README of at most 30 lines what it is for", async (folder) => {
    const path = join(TOP, "src", folder, "README.md");
    const lines = existsSync(path) ? (await Bun.file(path).text()).trimEnd().split("\n").length : "no README.md";
    expect({ folder, short: typeof lines === "number" && lines <= 30 ? true : lines }).toEqual({ folder, short: true });
  });

  test(`sources have at most ${LONGEST_FILE} lines a file, tables excepted`, async () => {
    const lengths = await Promise.all(sources.map(async (file) => [file, (await Bun.file(join(TOP, file)).text()).split("\n").length - 1] as const));
    expect(lengths.filter(([file, lines]) => lines > LONGEST_FILE && !MAY_BE_LONGER.has(file))).toEqual([]);
  });

  test("sources have no utils.ts and no index.ts", () => {
    expect(sources.filter((file) => /\/(utils|index)\.ts$/.test(file))).toEqual([]);
  });
});

function isAllowed({ to }: SourceImport, here: string, layer: Layer | undefined): boolean {
  const folder = folderOf(to);
  if (folder === undefined) return layer?.packages.includes(to) === true || (to !== packageOf(to) && layer?.packages.includes(packageOf(to)) === true) || isText(to);
  return folder === here || layer?.imports.includes(folder) === true || layer?.imports.includes(to) === true;
}

/** Files that the build embeds as text stand beside the sources. */
function isText(to: string): boolean {
  return /\.(sh|conf|txt|service)$/.test(to) && !to.startsWith("/");
}

/** Everything that is loaded when `entry` is: static imports, followed to their end. */
async function reachedAtOnce(entry: string): Promise<readonly string[]> {
  const reached = new Set<string>();
  const open = [entry];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const next = sources.includes(file) ? (await importsOf(file)).filter(({ lazy }) => !lazy).map(({ to }) => to) : [];
    open.push(...next.filter((to) => !reached.has(to)));
    for (const to of next) reached.add(to);
  }
  return [...reached].sort();
}

async function linesWith(pattern: RegExp, except: readonly string[]): Promise<readonly string[]> {
  const files = sources.filter((file) => !except.includes(file));
  const found = await Promise.all(files.map(async (file) => (await Bun.file(join(TOP, file)).text()).split("\n").filter((line) => pattern.test(line) && !/^\s*(\/\/|\*|\/\*)/.test(line)).map((line) => `${file}: ${line.trim()}`)));
  return found.flat();
}
