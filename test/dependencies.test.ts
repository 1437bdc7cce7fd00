import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { allImports, folderOf, packageOf, TOP } from "./source-imports.ts";

/** Each dependency of the executable, where it is imported, and why we do not write it ourselves. */
const DEPENDENCIES: Readonly<Record<string, { readonly in: RegExp; readonly because: string }>> = {
  citty: { in: /^src\/cli\//, because: "sub-commands, options and usage of what people type" },
  consola: { in: /^src\/cli\//, because: "messages to people on a terminal" },
  "fast-xml-parser": { in: /^src\/codec\/xml\.ts$/, because: "VM documents that the runtime's strict parser refuses, such as those with control characters" },
  zod: { in: /^src\/config\/schema\.ts$/, because: "config check names each bad value; the hot path never loads it" },
};

const manifest = (await Bun.file(join(TOP, "package.json")).json()) as { dependencies: Record<string, string>; devDependencies: Record<string, string> };

describe("dependencies", () => {
  test("dependencies are the ones that have a reason here", () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual(Object.keys(DEPENDENCIES).sort());
  });

  test.each(Object.entries(DEPENDENCIES))("dependencies: %s is imported by shipped code, and only where it belongs", async (name, { in: place }) => {
    const files = (await allImports()).filter(({ to }) => folderOf(to) === undefined && packageOf(to) === name).map(({ file }) => file);
    expect({ imported: files.length > 0, elsewhere: files.filter((file) => !place.test(file)) }).toEqual({ imported: true, elsewhere: [] });
  });

  test("dependencies of shipped code are all declared", async () => {
    const packages = (await allImports()).filter(({ to }) => folderOf(to) === undefined).map(({ to }) => packageOf(to));
    const undeclared = packages.filter((name) => !/^(node|bun):/.test(name) && name !== "bun" && !Object.hasOwn(manifest.dependencies, name) && !/\.(sh|conf)$/.test(name));
    expect([...new Set(undeclared)]).toEqual([]);
  });

  test("dependencies are pinned to one version, those for development too", () => {
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
    expect(loose).toEqual([]);
  });
});
