import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlockingHypervisor } from "../../src/libvirt/hypervisor.ts";
import { BlockingSnapshots } from "../../src/libvirt/snapshots.ts";
import { openBlocking } from "./blocking.ts";
import { Library, LIBRARY_PATHS } from "../../src/libvirt/library.ts";
import type { Tracer } from "../../src/core/ports.ts";
import { buildShim, failing, removeShims } from "./shim.ts";

afterAll(removeShims);

const thrownBy = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    const { code, message, hint, libvirt } = error as { code?: string; message: string; hint?: string; libvirt?: unknown };
    return { code, message, hint, libvirt };
  }
  return "nothing";
};

describe("Library", () => {
  test("Library works with a libvirt that has nothing newer than 4.5", () => {
    const library = new Library(undefined, [buildShim()]);
    using hypervisor = openBlocking(BlockingHypervisor, library, "shim:///", false);
    using snapshots = openBlocking(BlockingSnapshots, library, "shim:///", false);
    expect([hypervisor.find("shim"), hypervisor.domainXml("x", {}), hypervisor.metadata("x", "uri"), hypervisor.create("<domain/>"), snapshots.redefine("x", "<s/>", {})] as unknown[]).toEqual([
      { name: "shim", uuid: "11111111-2222-3333-4444-555555555555", id: 7, state: "running", reason: 1 }, "<domain/>", "<vm/>",
      { name: "shim", uuid: "11111111-2222-3333-4444-555555555555", id: 7 }, undefined,
    ]);
  });

  test("Library serves all functions but the one that this libvirt lacks", () => {
    const library = new Library(undefined, [buildShim({ virDomainReset: undefined })]);
    using hypervisor = openBlocking(BlockingHypervisor, library, "shim:///", false);
    expect([thrownBy(() => hypervisor.reset("x")), thrownBy(() => hypervisor.reboot("x")), library.has("virDomainReset"), library.has("virDomainReboot")]).toEqual([
      { code: "NOT_SUPPORTED", message: "Cannot call virDomainReset: this libvirt does not have it", hint: "use libvirt 0.9.7 or later", libvirt: undefined }, "nothing", false, true,
    ]);
  });

  test("Library says in one error which package to install when there is no libvirt", () => {
    expect(thrownBy(() => new Library(undefined, ["/nowhere/libvirt.so.0", "/neither/libvirt.so.0"]))).toEqual({
      code: "LIBVIRT_MISSING", message: "Cannot load libvirt.so.0: not found in /nowhere/libvirt.so.0, /neither/libvirt.so.0",
      hint: "install the package libvirt0 (Debian, Ubuntu) or libvirt-libs (RHEL, AlmaLinux, SUSE)", libvirt: undefined,
    });
  });

  test("Library tells why a file that is there cannot be loaded", () => {
    const path = join(mkdtempSync(join(tmpdir(), "onevirt-")), "libvirt.so.0");
    writeFileSync(path, "no library");
    expect(thrownBy(() => new Library(undefined, [path]))).toMatchObject({ code: "LIBVIRT_MISSING", message: expect.stringContaining(path) });
  });

  test("Library looks for libvirt at absolute places only", () => {
    expect(LIBRARY_PATHS.filter((path) => !path.startsWith("/"))).toEqual([]);
  });

  test("Library fails when libvirt cannot be initialised, instead of calling on", () => {
    const path = buildShim({ virInitialize: "return -1;" });
    expect(thrownBy(() => new Library(undefined, [path]))).toMatchObject({ code: "LIBVIRT_FAILED", message: `Cannot initialise ${path}` });
  });

  test("Library refuses a text with a NUL, which C would cut", () => {
    const library = new Library(undefined, [buildShim({ virDomainLookupByName: "abort();", virDomainCreateXML: "abort();", virConnectOpen: "abort();" })]);
    const { calls } = library;
    const connection = calls.virConnectOpenReadOnly("shim:///");
    const cut = [() => calls.virDomainLookupByName(connection, "one-7\0x"), () => calls.virDomainCreateXML(connection, "<domain>\0", 0), () => calls.virConnectOpen("\0")];
    expect(cut.map((call) => (thrownBy(call) as { code: string }).code)).toEqual(["BAD_ARGUMENT", "BAD_ARGUMENT", "BAD_ARGUMENT"]);
  });

  test("Library traces each call without documents or passwords", () => {
    const lines: string[] = [];
    const tracer: Tracer = {
      around: (kind, what, work, show = () => "") => {
        const result = work();
        lines.push(`${kind} ${what} = ${show(result)}`);
        return result;
      },
      note: () => undefined,
    };
    using hypervisor = openBlocking(BlockingHypervisor, new Library(tracer, [buildShim()]), "shim:///", false);
    hypervisor.create("<domain><graphics passwd='hunter2'/></domain>");
    expect(lines.filter((line) => /Create/.test(line))).toEqual([expect.stringMatching(/^libvirt virDomainCreateXML\(0x[0-9a-f]+, <45 characters>, 0\) = 0x[0-9a-f]+$/)]);
    expect(lines.join("\n")).not.toContain("hunter2");
  });
});

describe("Handle", () => {
  test("Handle gives each object back once, also when the call fails", () => {
    const library = new Library(undefined, [buildShim({ virDomainDestroy: failing(55, 10, "not running", "-1") })]);
    const hypervisor = openBlocking(BlockingHypervisor, library, "shim:///", false);
    expect(thrownBy(() => hypervisor.destroy("x"))).toMatchObject({ code: "INVALID_STATE", libvirt: { code: 55, domain: 10, text: "not running" } });
    expect(library.owned).toEqual({ connection: 1, domain: 0 });
    hypervisor[Symbol.dispose]();
    hypervisor[Symbol.dispose]();
    expect(library.owned).toEqual({ connection: 0, domain: 0 });
  });
});

describe("find()", () => {
  test("find() gives nothing for a domain that ends between two calls", () => {
    const library = new Library(undefined, [buildShim({ virDomainGetState: failing(42, 10, "Domain not found", "-1") })]);
    using hypervisor = openBlocking(BlockingHypervisor, library, "shim:///", false);
    expect(hypervisor.find("shim")).toBeUndefined();
  });
});

describe("errors", () => {
  const lookup = (body: string) => () => {
    using hypervisor = openBlocking(BlockingHypervisor, new Library(undefined, [buildShim({ virDomainLookupByName: body })]), "shim:///", false);
    hypervisor.find("shim");
  };
  const cases: [string, string, string][] = [
    ["an unreachable daemon", failing(38, 7, "Failed to connect socket"), "LIBVIRT_UNREACHABLE"],
    ["the remote driver", failing(1, 13, "internal error"), "LIBVIRT_UNREACHABLE"],
    ["a refused login", failing(45, 20, "authentication failed"), "LIBVIRT_UNREACHABLE"],
    ["a login that polkit cannot ask for", failing(94, 20, "authentication unavailable"), "LIBVIRT_UNREACHABLE"],
    ["a connection that broke, whatever the error says", `alive = 0; ${failing(38, 7, "End of file while reading data: Input/output error")}`, "CONNECTION_LOST"],
    ["a connection that broke while libvirt says that there is no domain", `alive = 0; ${failing(42, 10, "Domain not found")}`, "CONNECTION_LOST"],
    ["a held job", failing(68, 10, "cannot acquire state change lock"), "BUSY"],
    ["a system error of the daemon itself", failing(38, 10, "cannot open file"), "LIBVIRT_FAILED"],
    ["an unknown number of a newer libvirt", failing(999, 999, "new"), "LIBVIRT_FAILED"],
  ];
  test.each(cases)("17.1 row 1: lastError() takes %s for what it is, and never for a domain that is gone", (_what, body, code) => {
    expect(thrownBy(lookup(body))).toMatchObject({ code });
  });

  test("lastError() keeps libvirt's text on one line", () => {
    expect(thrownBy(lookup(failing(1, 10, "first\n  second\r\nthird")))).toMatchObject({ message: 'Cannot find domain "shim": first; second; third' });
  });

  test("Connection.open() fails as unreachable, whatever libvirt's number is, and says what to check", () => {
    using hypervisor = openBlocking(BlockingHypervisor, new Library(undefined, [buildShim({ virConnectOpen: failing(1, 0, "odd") })]), "shim:///", false);
    expect(thrownBy(() => hypervisor.list())).toEqual({
      code: "LIBVIRT_UNREACHABLE", message: "Cannot connect to shim:///: odd", hint: "check that libvirtd (or virtqemud) runs and that this user may use its socket", libvirt: { code: 1, domain: 0, text: "odd" },
    });
  });

  test("Connection.open() refuses an empty URI, which would mean libvirt's default", () => {
    using hypervisor = openBlocking(BlockingHypervisor, new Library(undefined, [buildShim()]), "", false);
    expect(thrownBy(() => hypervisor.list())).toMatchObject({ code: "BAD_CONFIG" });
  });

  test("BlockingHypervisor replaces a connection that broke", () => {
    const library = new Library(undefined, [buildShim({ virConnectIsAlive: "static int asked; return asked++ % 2;" })]);
    using hypervisor = openBlocking(BlockingHypervisor, library, "shim:///", false);
    expect([hypervisor.find("shim")?.id, hypervisor.find("shim")?.id, library.owned.connection]).toEqual([7, 7, 1]);
  });
});

describe("current directory", () => {
  test("Library never takes a library from the current directory", () => {
    const place = mkdtempSync(join(tmpdir(), "onevirt-cwd-"));
    mkdirSync(join(place, "sub"));
    writeFileSync(join(place, "libvirt.so.0"), "");
    const before = process.cwd();
    process.chdir(place);
    try {
      expect(thrownBy(() => new Library(undefined, ["/nowhere/libvirt.so.0"]))).toMatchObject({ code: "LIBVIRT_MISSING", message: "Cannot load libvirt.so.0: not found in /nowhere/libvirt.so.0" });
    } finally {
      process.chdir(before);
    }
  });
});
