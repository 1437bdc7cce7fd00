import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { describe, expect, test } from "bun:test";
import { VirshJudge } from "../../src/cli/virsh-judge.ts";
import { parseXml } from "../../src/codec/xml.ts";
import { Deadline } from "../../src/core/deadline.ts";
import { generateDomain } from "../../src/domain/generate.ts";
import { domainInput } from "../../src/domain/input.ts";
import { toText, withOneDevices } from "../../src/domain/rewrite.ts";
import { validateDomain, type Verdict } from "../../src/domain/validate.ts";
import { systemClock } from "../../src/host/clock.ts";
import { HostCommands } from "../../src/host/commands.ts";
import { goldenCases, goldenTexts } from "../golden/domain-xml/cases.ts";

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

const hasVirsh = Bun.which("virsh") !== null;

describe.skipIf(!hasVirsh)("documents before libvirt's schema", () => {
  test("every own case passes, but for what libvirt 9.0 cannot know", async () => {
    const folder = await mkdtemp(`${tmpdir()}/onevirt-test-`);
    try {
      for (const name of goldenCases()) {
        const { xml } = generateDomain(await domainInput(await goldenTexts(name)));
        await Bun.write(`${folder}/${name}.xml`, toText(withOneDevices(parseXml(xml, name))));
      }
      const child = Bun.spawn(["virsh", "-q", "-c", "test:///default"], { stdin: Buffer.from(goldenCases().map((name) => `define --validate ${folder}/${name}.xml\nundefine one-7 --keep-nvram\n`).join("")), stdout: "pipe", stderr: "pipe" });
      const stderr = await child.stderr.text();
      const refused = [...stderr.matchAll(/Failed to define domain from \S+\/([\w-]+)\.xml\nerror: (.*)/g)].filter(([, , reason = ""]) => reason.includes("schema")).map(([, name]) => name);
      expect(refused.filter((name) => !Object.hasOwn(REFUSED, name ?? ""))).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("a misspelt element is found by the schema, and said to be", async () => {
    expect(await judged("<domain type='test'><name>x</name><memory>1024</memory><os><type>hvm</type></os></domain>")).toEqual(["well-formed passed", "schema passed", "libvirt skipped"]);
    expect(await judged("<domain type='test'><name>x</name><memory>1024</memory><os><type>hvm</type></os><devises/></domain>")).toEqual(["well-formed passed", "schema failed", "libvirt skipped"]);
  });
});

async function judged(text: string): Promise<readonly string[]> {
  const withFile = async <T>(xml: string, use: (path: string) => Promise<T>): Promise<T> => {
    const folder = await mkdtemp(`${tmpdir()}/onevirt-test-`);
    await Bun.write(`${folder}/domain.xml`, xml);
    return use(`${folder}/domain.xml`).finally(() => rm(folder, { recursive: true }));
  };
  const schema = new VirshJudge("test:///default", new HostCommands(), withFile);
  const judges = { schema, libvirt: undefined, isAlive: () => false, pid: process.pid, nowSeconds: 1, uuid: crypto.randomUUID() };
  const verdicts: readonly Verdict[] = await validateDomain(text, "it", judges, Deadline.after(20, systemClock));
  return verdicts.map(({ check, outcome }) => `${check} ${outcome}`);
}
