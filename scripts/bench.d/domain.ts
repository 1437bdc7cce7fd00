// Generating a libvirt document: what one call of the program costs beside its bare start, and what a thousand cost in one process.
import { generateDomain } from "../../src/domain/generate.ts";
import { domainInput } from "../../src/domain/input.ts";
import { goldenTexts } from "../../test/golden/domain-xml/cases.ts";
import { compete, median, type Row } from "./rows.ts";

const TYPICAL = "test/golden/domain-xml/typical/vm.xml";
const STARTS = 30;
const DOMAINS = 1000;
const LIMIT_MS = 2000;

export async function bench(): Promise<readonly Row[]> {
  const starts = compete("domain xml", [{ name: "domain xml", command: ["dist/onevirt", "domain", "xml", "--vm", TYPICAL], against: { name: "version", command: ["dist/onevirt", "version"] }, promised: 3 }], STARTS);
  return [...starts, await thousand()];
}

async function thousand(): Promise<Row> {
  const texts = await goldenTexts("typical");
  const rounds: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const begun = performance.now();
    for (let i = 0; i < DOMAINS; i += 1) generateDomain(await domainInput(texts));
    rounds.push(performance.now() - begun);
  }
  return { area: "domain xml", name: `${DOMAINS} documents in one process`, medianMs: median(rounds), against: "2 s", ratio: median(rounds) / LIMIT_MS, promised: 1 };
}
