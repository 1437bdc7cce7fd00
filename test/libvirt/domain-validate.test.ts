import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "bun:test";
import { parseXml } from "../../src/codec/xml.ts";
import { Deadline } from "../../src/core/deadline.ts";
import { OnevirtError } from "../../src/core/errors.ts";
import { generateDomain } from "../../src/domain/generate.ts";
import { domainInput } from "../../src/domain/input.ts";
import { XML_INVALID_SCHEMA } from "../../src/domain/ports.ts";
import { toText, withOneDevices } from "../../src/domain/rewrite.ts";
import { systemClock } from "../../src/host/clock.ts";
import { GuardedJudge } from "../../src/libvirt/guarded-judge.ts";
import { startThread } from "../../src/thread.ts";
import { goldenCases, goldenTexts } from "../golden/domain-xml/cases.ts";
import { sources, TOP } from "../source-imports.ts";

/** Our own cases that libvirt 9.0 refuses by its schema, and why it is not our mistake. */
const REFUSED: Readonly<Record<string, string>> = {
  escaping: "the values are nonsense on purpose",
  "disk-other-networks": "sheepdog is gone from libvirt's schema",
  features: "ras is younger than libvirt 9.0",
  filesystem: "the schema knows no idmap yet",
  "memory-backing": "the schema knows no idmap yet",
  hostdev: "iommufd and acpi nodes are younger than libvirt 9.0",
  "pci-numa-swapped-cells": "the bus of an IOMMU is younger than libvirt 9.0",
  "os-firmware-path": "the format of nvram is younger than libvirt 9.0",
};

const place = mkdtempSync(join(tmpdir(), "onevirt-validate-test-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const GOOD = "<domain type='test'><name>x</name><memory>1024</memory><os><type>hvm</type></os></domain>";

/** The command from the sources, where no other program can be found. */
function validate(text: string, ...options: readonly string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([process.execPath, join(TOP, "src/main.ts"), "domain", "validate", "-", ...options], { env: { ...process.env, PATH: place }, stdin: Buffer.from(text) });
  return { stdout: stdout.toString().split("\n").slice(0, -1), stderr: stderr.toString(), exitCode };
}

describe("documents before libvirt's schema", () => {
  test("every own case passes, but for what libvirt 9.0 cannot know", async () => {
    writeFileSync(join(place, "node.xml"), "<node/>"); // a test driver of our own: what is defined is gone with the connection
    using judge = new GuardedJudge({ uri: `test://${place}/node.xml`, startWorker: startThread });
    const refused: string[] = [];
    for (const name of goldenCases()) {
      const { xml } = generateDomain(await domainInput(await goldenTexts(name)));
      const error = await judge.define(toText(withOneDevices(parseXml(xml, name))), { schema: true }, Deadline.after(20, systemClock)).catch((thrown: unknown) => thrown);
      if (error instanceof OnevirtError && error.libvirt?.code === XML_INVALID_SCHEMA) refused.push(name);
    }
    expect(refused.filter((name) => !Object.hasOwn(REFUSED, name))).toEqual([]);
    expect(refused).toContain("escaping"); // or nothing was judged at all
  }, 30_000);
});

describe("onevirt domain validate", () => {
  test("asks libvirt's schema without any other program", () => {
    expect(validate(GOOD)).toEqual({ stdout: ["well-formed passed: standard input", "schema      passed: libvirt's schema", "libvirt     not checked: no --libvirt URI"], stderr: "", exitCode: 0 });
  });

  test("finds a misspelt element by the schema, and says so", () => {
    expect(validate(GOOD.replace("</domain>", "<devises/></domain>"))).toEqual({
      stdout: ["well-formed passed: standard input", expect.stringMatching(/^schema      failed: Cannot define the domain: XML document failed to validate against schema: .*devises/), "libvirt     not checked: no --libvirt URI"], stderr: "", exitCode: 1,
    });
  });

  test("lets the libvirt that is asked for define it", () => {
    expect(validate(GOOD, "--libvirt", "test:///default").stdout.slice(1)).toEqual(["schema      passed: libvirt's schema", "libvirt     passed: test:///default accepts it"]);
    expect(validate(GOOD.replace("<os>", "<vcpu current='3'>2</vcpu><os>"), "--libvirt", "test:///default")).toMatchObject({ stdout: [expect.any(String), "schema      passed: libvirt's schema", expect.stringMatching(/^libvirt     failed: Cannot define the domain: /)], exitCode: 1 });
  });

  test("says that nothing was asked where no libvirt answers", () => {
    const { stdout, exitCode } = validate(GOOD, "--libvirt", `qemu+unix:///system?socket=${place}/absent`);
    expect([stdout.slice(1), exitCode]).toEqual([["schema      not checked: libvirt did not answer", expect.stringMatching(/^libvirt     failed: Cannot connect to qemu\+unix/)], 1]);
  });

  test("no source starts virsh, which a message may name", async () => {
    const naming = await Promise.all(sources.map(async (file) => (/["'`]virsh["'`]/.test(await Bun.file(join(TOP, file)).text()) ? [file] : [])));
    expect(naming.flat()).toEqual([]);
  });
});
