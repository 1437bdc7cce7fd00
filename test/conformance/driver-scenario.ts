import { existsSync, readFileSync, readdirSync } from "node:fs";
import type { ScriptCall } from "../fixtures/driver-world.ts";

/** How the recording's stub scripts were told to behave. */
export interface StubRule {
  readonly script: string;
  readonly exit?: number;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly sleep_s?: number;
}

/** One recorded conversation. */
export interface Scenario {
  readonly name: string;
  readonly arguments: string;
  readonly stdin: readonly string[];
  readonly stdout: readonly string[];
  readonly stubs: readonly StubRule[];
  /** Script calls and re-sync copies, in order. */
  readonly calls: readonly ScriptCall[];
  readonly copies: number;
  /** Scripts called before the first copy: those were on the host from the start. */
  readonly callsBeforeCopy: number;
  /** Hosts that got the ssh agent along. */
  readonly forwarding: readonly string[];
}

/** The folder of recordings: the given one, or its part for the driver; undefined when there is none. */
export function goldenFolder(given: string | undefined): string | undefined {
  if (!given) return undefined;
  return [`${given}/driver`, given].find((folder) => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith(".stdin.txt")));
}

/** What each recording consists of. */
const PARTS = ["stdin", "stdout", "scripts", "ssh", "stubs"];

/** What of a folder's layout is not understood: a part of a recording that is missing, a line of its scripts that begins no block. */
export function strangeLayout(folder: string): readonly string[] {
  const names = new Set(readdirSync(folder).flatMap((file) => /^(.+)\.(?:stdin|stdout|scripts|ssh|stubs)\.txt$/.exec(file)?.[1] ?? []));
  return [...names].toSorted().flatMap((name) => [
    ...PARTS.filter((part) => !existsSync(`${folder}/${name}.${part}.txt`)).map((part) => `${name}: no ${part}`),
    ...parseCalls(read(`${folder}/${name}.scripts.txt`)).strange.map((line) => `${name}: ${line}`),
  ]);
}

/** Every scenario of a folder, by name. */
export function scenariosOf(folder: string): readonly Scenario[] {
  const index = indexOf(folder);
  const names = readdirSync(folder).filter((name) => name.endsWith(".stdin.txt")).map((name) => name.slice(0, -".stdin.txt".length));
  return names.toSorted().map((name) => scenario(folder, name, index.get(name)));
}

function indexOf(folder: string): ReadonlyMap<string, string> {
  const rows = read(`${folder}/INDEX.txt`).split("\n").slice(1).map((line) => line.split("\t"));
  return new Map(rows.map(([name = "", words = ""]) => [name, words]));
}

function scenario(folder: string, name: string, indexed: string | undefined): Scenario {
  const part = (kind: string): string => read(`${folder}/${name}.${kind}.txt`);
  const scripts = part("scripts");
  const { calls, copies, callsBeforeCopy } = parseCalls(scripts);
  return {
    name, calls, copies, callsBeforeCopy,
    forwarding: [...part("ssh").matchAll(/^#### ssh .*\[ForwardAgent=yes\].*\[([^\]]+)\] \[[^\]]+\] \[-s\]$/gm)].map((found) => found[1] ?? ""),
    arguments: indexed ?? defaultArguments(name, calls),
    stdin: lines(part("stdin")),
    stdout: lines(part("stdout")),
    stubs: lines(part("stubs")).filter((line) => line !== "").map((line) => JSON.parse(line) as StubRule),
  };
}

/** A recording without an entry in the index: its scripts name the hypervisor. */
function defaultArguments(name: string, calls: readonly ScriptCall[]): string {
  const hypervisor = calls.map(({ path }) => /\/vmm\/([^/]+)\//.exec(path)?.[1]).find((found) => found) ?? "kvm";
  return name.startsWith("v5.6-") ? `-t 15 -r 0 ${hypervisor}` : `-t 15 -r 0 ${hypervisor} -p`;
}

interface Calls {
  readonly calls: ScriptCall[];
  copies: number;
  callsBeforeCopy: number;
  /** Lines that belong to no block. */
  readonly strange: string[];
}

function parseCalls(text: string): Calls {
  const found: Calls = { calls: [], copies: 0, callsBeforeCopy: 0, strange: [] };
  let rest = text;
  while (rest !== "") {
    if (rest.startsWith("== ")) {
      const { call, after } = parseCall(rest);
      found.calls.push(call);
      rest = after;
    } else {
      if (rest.startsWith("scp ")) {
        if (found.copies === 0) found.callsBeforeCopy = found.calls.length;
        found.copies += 1;
      } else if (!rest.startsWith("\n")) found.strange.push(rest.split("\n", 1)[0] ?? "");
      rest = rest.slice(rest.indexOf("\n") < 0 ? rest.length : rest.indexOf("\n") + 1);
    }
  }
  return found;
}

function parseCall(text: string): { readonly call: ScriptCall; readonly after: string } {
  const [, host = "", path = ""] = /^== host=(\S+) (.*)\n/.exec(text) ?? [];
  let rest = text.slice(text.indexOf("\n") + 1);
  const words: string[] = [];
  for (let number = 1; rest.startsWith(`   arg${number}=[`); number += 1) {
    const start = `   arg${number}=[`.length;
    const end = ["\n   arg" + `${number + 1}=[`, "\n   stdin("].map((mark) => rest.indexOf(`]${mark}`)).filter((at) => at >= 0);
    const at = Math.min(...end);
    words.push(rest.slice(start, at));
    rest = rest.slice(at + 2);
  }
  const [head = "", size = "0"] = /^ {3}stdin\((\d+) bytes\)=\[/.exec(rest) ?? [];
  const bytes = Buffer.from(rest.slice(head.length), "utf8");
  const stdin = bytes.subarray(0, Number(size)).toString("utf8");
  const after = bytes.subarray(Number(size)).toString("utf8");
  return { call: { host, path, arguments: words, stdin }, after: after.slice(after.indexOf("\n") + 1) };
}

function lines(text: string): readonly string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
