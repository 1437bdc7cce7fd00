import { readdirSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { parseTemplate } from "../../../src/codec/template.ts";
import { reportImport, reportText } from "../../../src/domain/import/report.ts";
import { checkTemplate } from "../../../src/domain/template/check.ts";

const FOLDER = new URL(".", import.meta.url).pathname;

/** A folder each: a domain as libvirt tells it while it runs, and what the import prints. */
const CASES = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();

describe("golden imports", () => {
  for (const name of CASES)
    test(`${name}: the template with its remarks, which the checker accepts and a template may hold`, async () => {
      const xml = await Bun.file(`${FOLDER}${name}/domain.xml`).text();
      const report = await reportImport(xml, "domain.xml", { cgroups: 1, passwords: false });
      const text = reportText(report);
      const file = Bun.file(`${FOLDER}${name}/expected.txt`);
      if (process.env["UPDATE_GOLDEN"]) await Bun.write(file, text);
      expect(text).toBe(await file.text());
      expect(parseTemplate(text, "expected.txt").map(withoutPlace)).toEqual(parseTemplate(report.template, "the template").map(withoutPlace));
      expect(checkTemplate(parseTemplate(text, name)).filter(({ severity }) => severity === "error")).toEqual([]);
    });
});

function withoutPlace(attribute: ReturnType<typeof parseTemplate>[number]): unknown {
  return attribute.kind === "single" ? [attribute.name, attribute.value] : [attribute.name, ...[...attribute.entries].map(([key, { value }]) => [key, value])];
}
