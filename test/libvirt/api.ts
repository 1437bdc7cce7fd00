import { XMLParser } from "fast-xml-parser";
import { existsSync, readFileSync } from "node:fs";

/** libvirt's own description of its API; from the package libvirt-dev (Debian, Ubuntu) or libvirt-devel. */
export const API_PATH = "/usr/share/libvirt/api/libvirt-api.xml";

/** The description of libvirt-qemu.so.0, from the same package. */
const QEMU_API_PATH = "/usr/share/libvirt/api/libvirt-qemu-api.xml";

interface Described {
  readonly name: string;
  readonly version: string;
}

interface FunctionDescription extends Described {
  readonly returns: string;
  readonly args: readonly string[];
}

/** The parts of the description that we compare with. */
export interface ApiDescription {
  readonly functions: ReadonlyMap<string, FunctionDescription>;
  readonly numbers: ReadonlyMap<string, number>;
}

type Node = Readonly<Record<string, string>> & { readonly arg?: readonly { readonly type: string }[]; readonly return?: { readonly type: string } };

/** Reads both descriptions; a clear error when the package is missing. */
export function readApi(): ApiDescription {
  const [{ functions, numbers }, qemu] = [readOne(API_PATH), readOne(QEMU_API_PATH)];
  return { functions: new Map([...functions, ...qemu.functions]), numbers };
}

function readOne(path: string): ApiDescription {
  if (!existsSync(path)) throw new Error(`${path} is missing: install the package libvirt-dev`);
  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: "", parseAttributeValue: false, isArray: (name) => name === "arg" });
  const { symbols } = (parser.parse(readFileSync(path, "utf8")) as { api: { symbols: { function: Node[]; enum: Node[]; macro: Node[] } } }).api;
  const functions = symbols.function.map((node) => [node.name ?? "", { name: node.name ?? "", version: node.version ?? "", returns: node.return?.type ?? "void", args: (node.arg ?? []).map(({ type }) => type) }] as const);
  const values = new Map(symbols.enum.map((node) => [node.name ?? "", node.value ?? ""]));
  const numberOf = (value: string): number => (values.has(value) ? numberOf(values.get(value) as string) : Number(value)); // one may stand for another
  return { functions: new Map(functions), numbers: new Map([...values].map(([name, value]) => [name, numberOf(value)])) };
}

/** Whether version `a` is later than `b`, as in 4.5.0. */
export function isLater(a: string, b: string): boolean {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  for (let part = 0; part < 3; part++) if (left?.[part] !== right?.[part]) return (left?.[part] ?? 0) > (right?.[part] ?? 0);
  return false;
}
