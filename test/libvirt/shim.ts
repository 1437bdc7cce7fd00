import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { libraryOf, symbols, type SymbolName } from "../../src/libvirt/symbols.ts";
import { OLDEST_LIBVIRT } from "../../src/core/build-info.ts";
import { isLater, readApi } from "./api.ts";

/** Bodies of C functions by name; a function without one returns 0 or NULL. A body of `undefined` leaves the function out. */
export type Bodies = Readonly<Partial<Record<SymbolName, string | undefined>>>;

const directory = mkdtempSync(join(tmpdir(), "onevirt-shim-"));
let count = 0;

/**
 * A stand-in for libvirt.so.0, made with the C compiler. It exports those of our functions that the API description dates to our
 * oldest libvirt or before, and can be told to fail, to hang and to break where the real one only does so on bad days.
 */
export function buildShim(bodies: Bodies = {}): string {
  const api = readApi();
  const names = (Object.keys(symbols) as SymbolName[]).filter((name) => libraryOf(name) === "libvirt" && !(name in bodies && bodies[name] === undefined) && !isLater(api.functions.get(name)?.version ?? "99", OLDEST_LIBVIRT));
  const path = join(directory, `shim-${++count}`);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "shim.c"), [PRELUDE, ...names.map((name) => definition(name, bodies[name] ?? STANDARD[name] ?? zero(name)))].join("\n"));
  const library = join(path, "libvirt.so.0");
  const compiler = ["/usr/bin/cc", "/usr/bin/gcc"].find(existsSync);
  if (!compiler) throw new Error("No C compiler: install the package build-essential");
  const { exitCode, stderr } = Bun.spawnSync([compiler, "-shared", "-fPIC", "-w", "-o", library, join(path, "shim.c")]);
  if (exitCode !== 0) throw new Error(`Cannot compile the shim: ${stderr.toString()}`);
  return library;
}

/** Takes away what was built; for `afterAll`. */
export function removeShims(): void {
  rmSync(directory, { recursive: true, force: true });
}

/** Makes the shim's next `virGetLastError…` say this. */
export function failing(code: number, domain: number, text: string, result: "-1" | "0" = "0"): string {
  return `error_code = ${code}; error_domain = ${domain}; error_text = ${JSON.stringify(text)}; return ${result};`;
}

const PRELUDE = `
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static __thread int error_code = 0;
static __thread int error_domain = 0;
static __thread const char *error_text = "no error";
static int alive = 1;
static char object;
`;

/** What a working libvirt would say, as far as a lookup needs it: one running domain "shim". */
const STANDARD: Bodies = {
  virGetLastErrorCode: "return error_code;",
  virGetLastErrorDomain: "return error_domain;",
  virGetLastErrorMessage: "return error_text;",
  virConnectOpen: "return &object;",
  virConnectOpenReadOnly: "return &object;",
  virConnectIsAlive: "return alive;",
  virConnectGetType: 'return "SHIM";',
  virDomainLookupByName: "return &object;",
  virDomainLookupByID: "return &object;",
  virDomainLookupByUUIDString: "return &object;",
  virDomainGetName: 'return "shim";',
  virDomainGetUUIDString: 'strcpy(a1, "11111111-2222-3333-4444-555555555555"); return 0;',
  virDomainGetID: "return 7;",
  virDomainGetState: "*(int *)a1 = 1; *(int *)a2 = 1; return 0;",
  virDomainGetXMLDesc: 'return strdup("<domain/>");',
  virDomainGetMetadata: 'return strdup("<vm/>");',
  virDomainCreateXML: "return &object;",
  virDomainSnapshotCreateXML: "return &object;",
};

function definition(name: SymbolName, body: string): string {
  const { returns, args } = symbols[name];
  return `${plain(returns)} ${name}(${args.map((type, index) => `${plain(type)} a${index}`).join(", ") || "void"}) { ${body} }`;
}

/** libvirt's own types are pointers to what nobody looks into. */
function plain(type: string): string {
  return type.startsWith("vir") ? "void *" : type;
}

function zero(name: SymbolName): string {
  return symbols[name].returns === "void" ? "" : "return 0;";
}
