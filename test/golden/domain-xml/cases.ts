import { readdirSync } from "node:fs";
import type { DomainTexts, NamedText } from "../../../src/domain/input.ts";

const FOLDER = new URL(".", import.meta.url).pathname;

/** Names of our own cases: a folder each, with vm.xml, expected.xml and what else the case needs. */
export function goldenCases(): readonly string[] {
  return readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();
}

/** The generator's input for a case; options.json holds further inputs by their names. */
export async function goldenTexts(name: string): Promise<DomainTexts> {
  const options = await findText(`${name}/options.json`);
  return {
    vm: { name: "vm.xml", text: await Bun.file(`${FOLDER}${name}/vm.xml`).text() },
    host: await findText(`${name}/host.conf`),
    cluster: await findText(`${name}/cluster.conf`),
    defaults: await findText(`${name}/defaults.conf`),
    architecture: "x86_64",
    oneVersion: "7.4.0",
    randomHex: () => "0123456789abcdef".repeat(4),
    ...(options ? (JSON.parse(options.text) as Partial<DomainTexts>) : {}),
  };
}

async function findText(path: string): Promise<NamedText | undefined> {
  const file = Bun.file(`${FOLDER}${path}`);
  return (await file.exists()) ? { name: path.split("/").at(-1) ?? path, text: await file.text() } : undefined;
}
