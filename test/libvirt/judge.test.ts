import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Deadline } from "../../src/core/deadline.ts";
import { OnevirtError } from "../../src/core/errors.ts";
import { systemClock } from "../../src/host/clock.ts";
import { GuardedJudge } from "../../src/libvirt/guarded-judge.ts";
import { BlockingJudge } from "../../src/libvirt/judge.ts";
import { openBlocking } from "./blocking.ts";
import { Library } from "../../src/libvirt/library.ts";
import { startThread } from "../../src/thread.ts";
import { buildShim, failing, removeShims, type Bodies } from "./shim.ts";

const place = mkdtempSync(join(tmpdir(), "onevirt-judge-"));
afterAll(() => {
  removeShims();
  rmSync(place, { recursive: true, force: true });
});

const UUID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeef";
const documentOf = (name: string, uuid = UUID, more = "") => `<domain type='test'><name>${name}</name><uuid>${uuid}</uuid><memory>65536</memory><os><type arch='i686'>hvm</type></os>${more}</domain>`;
const within = (seconds = 10) => Deadline.after(seconds, systemClock);

function codesOf(error: unknown): unknown {
  return error instanceof OnevirtError ? [error.code, error.libvirt?.code] : error;
}

function thrownBy(work: () => unknown): unknown {
  try {
    return ["nothing", work()];
  } catch (error) {
    return codesOf(error);
  }
}

/** libvirt's test driver with a world of its own; that of test:///default is one for the whole process. */
const OWN_WORLD = `test://${place}/node.xml`;
writeFileSync(join(place, "node.xml"), "<node/>");

describe("GuardedJudge on libvirt's test driver", () => {
  test("define() gives who was defined, inactiveNames() lists it, undefine() leaves nothing", async () => {
    using judge = new GuardedJudge({ uri: OWN_WORLD, startWorker: startThread });
    const defined = await judge.define(documentOf("judged ☃"), { schema: true }, within());
    const names = await judge.inactiveNames(within());
    await judge.undefine("judged ☃", within());
    expect([defined, names, await judge.inactiveNames(within())] as unknown[]).toEqual([{ name: "judged ☃", uuid: UUID, id: -1 }, ["judged ☃"], []]);
  });

  test("define() tells by libvirt's number what the schema refuses, and only when it was asked for", async () => {
    using judge = new GuardedJudge({ uri: OWN_WORLD, startWorker: startThread });
    const misspelt = documentOf("judged", UUID, "<devises/>");
    const refused = await judge.define(misspelt, { schema: true }, within()).catch(codesOf);
    const accepted = await judge.define(misspelt, { schema: false }, within());
    await judge.undefine("judged", within());
    expect([refused, accepted.name, await judge.define("<domain", { schema: true }, within()).catch(codesOf)] as unknown[]).toEqual([["LIBVIRT_FAILED", 92], "judged", ["LIBVIRT_FAILED", 35]]);
  });

  test("undefine() of a name that libvirt does not know says so", async () => {
    using judge = new GuardedJudge({ uri: OWN_WORLD, startWorker: startThread });
    expect(await judge.undefine("nope", within()).catch(codesOf)).toEqual(["DOMAIN_NOT_FOUND", 42]);
  });
});

describe("GuardedJudge", () => {
  test("GuardedJudge gives up at its deadline, and its next call is on a fresh thread", async () => {
    const go = join(place, "go");
    using judge = new GuardedJudge({ uri: "shim:///", startWorker: startThread, libraryPaths: [buildShim({ virDomainDefineXMLFlags: `static int asked; if (asked++) return &object; while (access(${JSON.stringify(go)}, 0)) usleep(5000); return &object;` })] });
    await judge.inactiveNames(within()); // the thread stands
    const first = await judge.define("<domain/>", { schema: true }, within(0.3)).catch((error: OnevirtError) => `${error.code}: ${error.message}`);
    const second = await judge.define("<domain/>", { schema: true }, within());
    writeFileSync(go, "");
    expect([first, second.name]).toEqual(["TIMED_OUT: Cannot define the domain: no answer from shim:/// within 0.3 s", "shim"]);
  });
});

describe("BlockingJudge", () => {
  test("BlockingJudge leaks nothing, whatever succeeds or fails", () => {
    const library = new Library(undefined);
    const judge = openBlocking(BlockingJudge, library, OWN_WORLD, false);
    const answers = [
      () => judge.define(documentOf("judged"), { schema: true }), () => judge.define(documentOf("judged-2", UUID.replace("f", "e")), { schema: false }), () => judge.define(documentOf("judged", UUID, "<devises/>"), { schema: true }),
      () => judge.define("<domain", { schema: false }), () => judge.define("<domain>\0", { schema: false }), () => judge.inactiveNames().sort(), () => judge.undefine("judged"), () => judge.undefine("judged"), () => judge.undefine("judged-2"), () => judge.inactiveNames(),
    ].map(thrownBy);
    const open = { ...library.owned };
    judge[Symbol.dispose]();
    judge[Symbol.dispose]();
    expect([answers.slice(2), open, library.owned]).toEqual([
      [["LIBVIRT_FAILED", 92], ["LIBVIRT_FAILED", 35], ["BAD_ARGUMENT", undefined], ["nothing", ["judged", "judged-2"]], ["nothing", undefined], ["DOMAIN_NOT_FOUND", 42], ["nothing", undefined], ["nothing", []]],
      { connection: 1, domain: 0 }, { connection: 0, domain: 0 },
    ]);
  });

  test("inactiveNames() gives each domain of the list back once, and then the list", () => {
    const freed = join(place, "freed");
    const library = new Library(undefined, [buildShim({
      virConnectListAllDomains: "if (a2 != 2) abort(); static char objects[3]; void **list = calloc(4, sizeof *list); for (int i = 0; i < 3; i++) list[i] = objects + i; *(void **)a1 = list; return 3;",
      virDomainFree: `int fd = open(${JSON.stringify(freed)}, O_CREAT | O_APPEND | O_WRONLY, 0600); dprintf(fd, "%lu\\n", (unsigned long)a0); close(fd); return 0;`,
    })]);
    using judge = openBlocking(BlockingJudge, library, "shim:///", false);
    const names = judge.inactiveNames();
    const given = readFileSync(freed, "utf8").trim().split("\n");
    expect([names, given.length, new Set(given).size, library.owned.domain]).toEqual([["shim", "shim", "shim"], 3, 3, 0]);
  });

  /** A driver that knows only `known` of the flags, and writes down what it was asked. */
  const driver = (file: string, known: number, document: string, error = failing(8, 0, "unsupported flags", "-1")): Bodies => ({
    virDomainUndefineFlags: `int fd = open(${JSON.stringify(file)}, O_CREAT | O_APPEND | O_WRONLY, 0600); dprintf(fd, "%u ", a1); close(fd); if (a1 & ~${known}) { ${error} } return 0;`,
    virDomainGetXMLDesc: `return strdup(${JSON.stringify(document)});`,
  });
  const NVRAM = "<domain><os><nvram>/var/lib/one/7/vars.fd</nvram></os></domain>";
  const gone = ["nothing", undefined];

  test.each([
    ["knows both flags", 72, NVRAM, undefined, "72", gone],
    ["is older than KEEP_TPM", 8, NVRAM, undefined, "72 8", gone],
    ["knows neither, of a document without nvram", 0, "<domain><os/></domain>", undefined, "72 8 0", gone],
    ["knows neither, and says it by the other number", 0, "<domain><os/></domain>", failing(74, 0, "flag", "-1"), "72 8 0", gone],
    ["knows neither, of a document with nvram", 0, NVRAM, undefined, "72 8", ["LIBVIRT_FAILED", 8]],
    ["fails for another reason", 0, "<domain><os/></domain>", failing(55, 0, "still has snapshots", "-1"), "72", ["INVALID_STATE", 55]],
  ])("undefine() keeps firmware variables and TPM state where the driver %s", (name, known, document, error, asked, outcome) => {
    const file = join(place, name.replace(/\W/g, "-"));
    const library = new Library(undefined, [buildShim(driver(file, known, document, error))]);
    using judge = openBlocking(BlockingJudge, library, "shim:///", false);
    const answer = thrownBy(() => judge.undefine("x"));
    expect([existsSync(file) && readFileSync(file, "utf8").trim(), answer, library.owned.domain]).toEqual([asked, outcome, 0]);
  });
});
