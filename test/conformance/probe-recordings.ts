import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseTemplate } from "../../src/codec/template.ts";

/** One directory of recordings: what the probes of one release read, and what they said. */
export interface Recordings {
  readonly name: string;
  /** Text of a file of the recordings; undefined when it is not there. */
  text(path: string): string | undefined;
  /** The text of an input, or an error of the test. */
  input(name: string): string;
  names(directory: string): readonly string[];
}

/** All directories of the layout that golden/probes/README.md describes. */
export function recordingsIn(folder: string): readonly Recordings[] {
  if (!existsSync(folder)) return [];
  const candidates = [folder, ...readdirSync(folder).map((name) => join(folder, name))].filter((path) => statSync(path).isDirectory());
  return candidates.filter((path) => ["host", "fake-host", "vm-monitor"].some((name) => existsSync(join(path, name)))).map(openRecordings);
}

function openRecordings(folder: string): Recordings {
  const text = (path: string) => (existsSync(join(folder, path)) ? readFileSync(join(folder, path), "utf8") : undefined);
  return {
    name: folder.split("/").at(-1) ?? folder,
    text,
    names: (directory) => (existsSync(join(folder, directory)) ? readdirSync(join(folder, directory)).sort() : []),
    input: (name) => {
      const found = text(`inputs/${name}`);
      if (found === undefined) throw new Error(`${folder}/inputs has no ${name}`);
      return found;
    },
  };
}

/** One value of a probe's output: `PCI/ADDRESS` or `ARCH`, and what it is. */
export interface Said {
  readonly name: string;
  readonly value: string;
}

/** The output of a probe as oned's parser reads it, in its order. The text in a base64 attribute is read too. */
export function saidIn(text: string): readonly Said[] {
  return parseTemplate(text, "the output").flatMap((attribute) =>
    attribute.kind === "single" ? [{ name: attribute.name, value: attribute.value }] : [...attribute.entries].flatMap(([key, { value }]) => decoded(`${attribute.name}/${key}`, value)));
}

function decoded(name: string, value: string): readonly Said[] {
  if (!/\/(IMPORT_TEMPLATE|MONITOR)$/.test(name)) return [{ name, value }];
  const text = Buffer.from(value, "base64").toString("utf8");
  const inner = name.endsWith("/MONITOR") && /^\w+="/.test(text) ? attributesIn(text) : saidIn(text);
  return inner.map((each) => ({ name: `${name}/${each.name}`, value: each.value }));
}

/** Lines `NAME="value"`, read by line: upstream writes some that oned's parser refuses. */
function attributesIn(text: string): readonly Said[] {
  return [...text.matchAll(/^(\w+)="(.*)"$/gm)].map(([, name = "", value = ""]) => ({ name, value: value.replaceAll('\\"', '"') }));
}

/** Files of a tree as the recordings write them: `./path = content` with bars for line ends, `./path -> target`, `./path/`. */
export function filesOfTree(text: string, root: string): Readonly<Record<string, string | { readonly link: string }>> {
  const entries = text.trimEnd().split("\n").map((line): readonly [string, string | { readonly link: string }] => {
    const [, path = "", kind, content = ""] = /^\.\/(.*?)(?: (=|->) (.*)|\/)$/.exec(line) ?? [];
    if (kind === "->") return [join(root, path), { link: content }];
    return kind === "=" ? [join(root, path), `${content.replaceAll("|", "\n")}\n`] : [join(root, path, ".keep"), ""];
  });
  return Object.fromEntries(entries);
}
