import { describe, expect, test } from "bun:test";
import { readDomainDocument } from "../../src/codec/domain-document.ts";
import { parseTemplate } from "../../src/codec/template.ts";
import { generateDomain } from "../../src/domain/generate.ts";
import { domainInput } from "../../src/domain/input.ts";
import { type ImportReport, reportImport } from "../../src/domain/import/report.ts";
import { checkTemplate } from "../../src/domain/template/check.ts";
import { importTemplate, wildTemplate } from "../../src/monitor/import-template.ts";
import { goldenCases, goldenTexts } from "../golden/domain-xml/cases.ts";
import { RECORDED, recordedCases } from "./recorded-domains.ts";

interface Case {
  readonly name: string;
  readonly xml: string;
}

const own: readonly Case[] = await Promise.all(goldenCases().map(async (name) => ({ name: `own ${name}`, xml: generateDomain(await domainInput(await goldenTexts(name))).xml })));
const recorded: readonly Case[] = (await recordedCases()).flatMap(({ name, expected }) => (expected === undefined ? [] : [{ name, xml: expected }]));

/** Domains that cannot exist: libvirt refuses them, or their values are nonsense on purpose. What remains of them is listed. */
const WITHOUT_REASON: Readonly<Record<string, readonly string[]>> = {
  "own escaping": ["~ /domain/os/bootloader", "- /domain/devices/input", "+ /domain/devices/input"],
  "access-without-hugepages": ["~ /domain/cpu/numa/cell[@id='0']/@memAccess"],
  "arm-smmuv3": ["- /domain/features"], // an empty section
  "arm-virt": ["- /domain/features"],
  "cpu-host-model": ["~ /domain/cpu/@mode", "- /domain/cpu/model"], // a mode as the name of a model: it cannot start
  "disk-sd-suffixes": ["- /domain/devices/disk[target/@dev='sd']", "+ /domain/devices/disk[target/@dev='sda']"],
  "doc-cdrom-disktype-rbd": ["- /domain/devices/disk[target/@dev='sda']/readonly"], // read-only on SATA
  "iotune-empty": ["- /domain/devices/disk[target/@dev='sda']/iotune"],
  "nic-bandwidth": ["- /domain/devices/interface[mac/@address='02:00:00:00:00:03']/bandwidth"], // no average
  "raw-two": ["- /domain/anything"],
  "sev-twice": ["- /domain/launchSecurity[2]", "- /domain/memtune[2]"],
};

/** What the checker says about them. */
const REFUSED: Readonly<Record<string, readonly string[]>> = { "own escaping": ["INPUT/TYPE"] };

/** A domain that upstream's overflow gave a negative memory. */
const NOT_IMPORTED = ["mem-overflow"];

describe("domains imported as VM templates", () => {
  test(`the recorded cases are there: ${recorded.length}`, () => {
    if (process.env["CI"]) expect(recorded.length, `no recorded cases under ${RECORDED}`).toBeGreaterThan(0);
    expect(own.length).toBeGreaterThan(40);
  });

  for (const each of [...own, ...recorded].filter(({ name }) => !NOT_IMPORTED.includes(name)))
    test(`${each.name}: the checker accepts the template, and a VM of it differs only in what OpenNebula always does`, async () => {
      const report = await imported(each);
      expect(report.notes.filter((note) => note.startsWith("it cannot be compared"))).toEqual([]);
      expect(withoutReason(report)).toEqual([...(WITHOUT_REASON[each.name] ?? [])]);
      const findings = checkTemplate(parseTemplate(report.template, each.name));
      expect(findings.filter(({ severity }) => severity === "error").map(({ attribute }) => attribute)).toEqual([...(REFUSED[each.name] ?? [])]);
    });

  for (const each of recorded.filter(({ name }) => NOT_IMPORTED.includes(name)))
    test(`${each.name} is refused`, () => expect(imported(each)).rejects.toThrow("Cannot import"));

  test("what is listed still happens", () => {
    const known = [...own, ...recorded].map(({ name }) => name);
    if (recorded.length > 0) expect(Object.keys({ ...WITHOUT_REASON, ...REFUSED }).filter((name) => !known.includes(name))).toEqual([]);
  });
});

/** The version of the cgroups is not in the document; a share that only one version allows tells it. */
function imported({ name, xml }: Case): Promise<ImportReport> {
  return reportImport(xml, name, { cgroups: /v2|nfv/.test(name) ? 2 : 1, passwords: true });
}

/** Places that differ for no known reason; names of inputs are nonsense in one case, and left out. */
function withoutReason({ differences }: ImportReport): readonly string[] {
  const marks = { changed: "~", "only-in-a": "-", "only-in-b": "+" } as const;
  return differences.filter(({ reason }) => reason === undefined).map(({ kind, xpath }) => `${marks[kind]} ${xpath.replace(/(\/input)\[.*/s, "$1")}`);
}

describe("the template of a wild VM on the wire, as upstream's probes wrote it", () => {
  const PROBES = RECORDED.replace(/domain-xml$/, "probes");
  const UUID = "812410d8-4ef6-4094-8fbd-3277840e343d";
  const read = (path: string) => Bun.file(`${PROBES}/${path}`).text();

  if (recorded.length > 0) test("is the same for 7.x and for 5.x", async () => {
    const domain = readDomainDocument(await read("7.x/inputs/virsh-dumpxml-wild-9003.xml"), "the domain");
    expect(wildTemplate(domain, UUID)).toBe(await read("7.x/host/system-wild_vm.import_template.decoded"));
    expect(importTemplate(domain, UUID)).toBe(await read("5.x/poll-t.import_template.decoded"));
  });
});
