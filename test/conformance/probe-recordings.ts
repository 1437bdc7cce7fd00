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

/** Folders of the layout that golden/probes/README.md describes, each of which makes a directory recordings. */
const PARTS = /^(host|inputs|fake-host.*|vm-(status|monitor|execution|snapshot)|wire|agent)$/;

/** All directories of that layout, however deep they lie. */
export function recordingsIn(folder: string): readonly Recordings[] {
  if (!existsSync(folder)) return [];
  const inner = readdirSync(folder).filter((name) => statSync(join(folder, name)).isDirectory());
  const here = inner.some((name) => PARTS.test(name)) ? [openRecordings(folder)] : [];
  return [...here, ...inner.filter((name) => !PARTS.test(name)).flatMap((name) => recordingsIn(join(folder, name)))];
}

/** All files of recordings, by their paths inside. */
export function filesOf(recordings: Recordings, directory = ""): readonly string[] {
  return recordings.names(directory).flatMap((name) => {
    const path = join(directory, name);
    return recordings.text(path) === undefined ? filesOf(recordings, path) : [path];
  });
}

function openRecordings(folder: string): Recordings {
  const text = (path: string) => (existsSync(join(folder, path)) && statSync(join(folder, path)).isFile() ? readFileSync(join(folder, path), "utf8") : undefined);
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
    const [, path, kind, content = ""] = /^\.\/(.*?)(?: (=|->) ?(.*)|\/)$/.exec(line) ?? [];
    if (path === undefined) throw new Error(`${root}: a line of the tree cannot be read: ${JSON.stringify(line)}`);
    if (kind === "->") return [join(root, path), { link: content }];
    return kind === "=" ? [join(root, path), `${content.replaceAll("|", "\n")}\n`] : [join(root, path, ".keep"), ""];
  });
  return Object.fromEntries(entries);
}
