// Writes the files under remotes/ that follow from the tables of actions and probes. `--check` writes nothing and fails when one is stale or has no row.
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { treeFiles } from "../src/remotes/parts.ts";
import { treeReference } from "../src/remotes/reference.ts";
import { DATA_MODE } from "../src/remotes/tree.ts";

const root = join(import.meta.dir, "..", "remotes");
const check = process.argv.includes("--check");

const files = [...treeFiles(), { path: "README.md", mode: DATA_MODE, text: treeReference() }]; // the reference stays in the repository
const stale = files.filter(({ path, text }) => !existsSync(join(root, path)) || readFileSync(join(root, path), "utf8") !== text);
const expected = new Set(files.map(({ path }) => path));
const surplus = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) => statSync(join(root, path)).isFile() && !expected.has(path));

if (check) {
  for (const { path } of stale) console.error(`remotes/${path} is not what the tables say: run npm run gen`);
  for (const path of surplus) console.error(`remotes/${path} has no row in the tables`);
  process.exit(stale.length + surplus.length === 0 ? 0 : 1);
}
for (const { path, mode, text } of stale) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  chmodSync(join(root, path), mode);
  console.log(`wrote remotes/${path}`);
}
for (const path of surplus) {
  rmSync(join(root, path));
  console.log(`removed remotes/${path}`);
}
