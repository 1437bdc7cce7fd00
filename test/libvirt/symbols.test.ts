import { describe, expect, test } from "bun:test";
import { PAUSED_REASONS, DOMAIN_STATES } from "../../src/core/states.ts";
import { XML_INVALID_SCHEMA } from "../../src/domain/ports.ts";
import { VIR } from "../../src/libvirt/numbers.ts";
import { C_TYPES, symbols, type SymbolName } from "../../src/libvirt/symbols.ts";
import { OLDEST_LIBVIRT } from "../../src/core/build-info.ts";
import { sources, TOP } from "../source-imports.ts";
import { isLater, readApi } from "./api.ts";

const api = readApi();
const rows = Object.entries(symbols) as [SymbolName, (typeof symbols)[SymbolName] & { readonly optional?: true }][];

describe("symbols", () => {
  test.each(rows)("symbols: %s has the types and the version of libvirt's API description", (name, { returns, args, since }) => {
    expect({ name, returns, args: [...args], version: since }).toEqual(api.functions.get(name) as never);
  });

  test.each(rows)(`symbols: %s is optional exactly when it is newer than ${OLDEST_LIBVIRT}`, (_name, row) => {
    expect(row.optional ?? false).toBe(isLater(row.since, OLDEST_LIBVIRT));
  });

  test("symbols names each function once, and each is used", async () => {
    const text = (await Promise.all(sources.filter((file) => /^src\/libvirt\/(?!symbols)/.test(file)).map((file) => Bun.file(`${TOP}/${file}`).text()))).join("\n");
    expect(rows.map(([name]) => name).filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });

  test("C_TYPES holds no type that no function needs", () => {
    const used = new Set<string>(rows.flatMap(([, { returns, args }]) => [returns, ...args]));
    expect(Object.keys(C_TYPES).filter((type) => !used.has(type))).toEqual([]);
  });

  test("C_TYPES gives each C type its width on this machine's ABI", () => {
    const widths = Object.entries(C_TYPES).map(([type, ffi]) => [type, ffi, type.endsWith("*") || type.startsWith("vir") ? (type === "const char *" ? "cstring" : "ptr") : ffi]);
    expect(widths.filter(([, ffi, expected]) => ffi !== expected)).toEqual([]);
    expect([C_TYPES.int, C_TYPES["unsigned int"], C_TYPES["unsigned long"], C_TYPES["unsigned long long"], C_TYPES["long long"], C_TYPES.void]).toEqual(["i32", "u32", "u64", "u64", "i64", "void"]);
  });
});

describe("VIR", () => {
  test("VIR has the numbers of libvirt's API description", () => {
    const described = Object.keys(VIR).map((name) => [name, api.numbers.get(name)]);
    expect(Object.fromEntries(described)).toEqual(VIR);
  });

  test("XML_INVALID_SCHEMA has the number of libvirt's API description", () => {
    expect(api.numbers.get("VIR_ERR_XML_INVALID_SCHEMA")).toBe(XML_INVALID_SCHEMA);
  });
});

describe("states", () => {
  const numbered = (prefix: string, names: readonly string[], spelling: (name: string) => string) => names.map((name) => api.numbers.get(`${prefix}${spelling(name)}`));

  test("DOMAIN_STATES stand at libvirt's numbers", () => {
    expect(numbered("VIR_DOMAIN_", DOMAIN_STATES, (name) => name.toUpperCase())).toEqual(DOMAIN_STATES.map((_name, index) => index));
  });

  test("PAUSED_REASONS stand at libvirt's numbers, and none is left out", () => {
    const spelling: Readonly<Record<string, string>> = { fromsnapshot: "FROM_SNAPSHOT", shuttingdown: "SHUTTING_DOWN", startingup: "STARTING_UP", postcopyfailed: "POSTCOPY_FAILED", apierror: "API_ERROR" };
    const described = numbered("VIR_DOMAIN_PAUSED_", PAUSED_REASONS, (name) => spelling[name] ?? name.toUpperCase()).slice(0, api.numbers.get("VIR_DOMAIN_PAUSED_LAST"));
    const known = [...api.numbers.keys()].filter((name) => /^VIR_DOMAIN_PAUSED_(?!LAST)/.test(name)).length; // an older description ends earlier: api error came with 9.2
    expect(described).toEqual(Array.from({ length: known }, (_, index) => index));
  });
});
