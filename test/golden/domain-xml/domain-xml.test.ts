import { readdirSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { parseXml } from "../../../src/codec/xml.ts";
import { explanations, explainTree } from "../../../src/domain/explain.ts";
import { generateDomain } from "../../../src/domain/generate.ts";
import { domainInput } from "../../../src/domain/input.ts";
import { paths } from "../../support/xml-paths.ts";
import { goldenCases, goldenTexts } from "./cases.ts";

describe("golden domain documents", () => {
  for (const name of goldenCases())
    test(`${name}: the document, its warnings, and a reason for each part of it`, async () => {
      const { xml, warnings, root } = generateDomain(await domainInput(await goldenTexts(name)));
      const file = Bun.file(new URL(`${name}/expected.xml`, import.meta.url));
      const text = warnings.map((each) => `<!-- ${each.replaceAll("--", "- -")} -->\n`).join("") + xml;
      if (process.env["UPDATE_GOLDEN"]) await Bun.write(file, text);
      expect(text).toBe(await file.text());
      expect(explanations(explainTree(root)).filter(({ sources }) => sources.length === 0)).toEqual([]);
      expect(explanations(explainTree(root)).map(({ xpath }) => xpath).sort()).toEqual(paths(parseXml(xml, name)).sort());
    });

  test("every contributor has a case of its own", () => {
    const covered = goldenCases().join(" ");
    const contributors = readdirSync(new URL("../../../src/domain/devices", import.meta.url)).map((file) => file.replace(".ts", ""));
    const named = (contributor: string) => (ELSEWHERE[contributor] ?? contributor).split(" ").some((each) => covered.includes(each));
    expect(contributors.filter((each) => !named(each))).toEqual([]);
  });
});

/** Contributors and helpers whose cases have another name. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "disk-bus": "disk-sata", "disk-plan": "disk-iothreads", "disk-source": "disk-ceph", "network-source": "disk-ceph", "network-volume": "disk-ceph", iotune: "disk-iotune",
  iothreads: "disk-iothreads", "context-disk": "context", "guest-agent": "features", hostdev: "hostdev", "input-device": "input",
  "memory-size": "memory-ballooning", metadata: "head", "options-text": "graphics-spice-refused", "pci-controllers": "pci-flat",
  "pci-numa-plan": "pci-numa", "pci-plan": "pci-flat", "scsi-controller": "scsi-queues",
};
