import { describe, expect, test } from "bun:test";
import { parseTemplate } from "../../src/codec/template.ts";
import { EXECUTABLE, run } from "../support/executable-tree.ts";

const onevirt = (...words: readonly string[]) => run([EXECUTABLE, "import", ...words]);
const HERE = ["--libvirt", "test:///default"];

describe("onevirt import", () => {
  test("prints a template with its remarks, by name, UUID or id alike", async () => {
    const byName = await onevirt("test", ...HERE);
    expect({ exitCode: byName.exitCode, stderr: byName.stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(parseTemplate(byName.stdout, "stdout").map(({ name }) => name)).toEqual(["NAME", "HYPERVISOR", "CPU", "VCPU", "MEMORY", "MEMORY_MAX", "MEMORY_RESIZE_MODE", "OS", "FEATURES", "DISK", "RAW"]);
    for (const reference of ["6695eb01-f6a4-8304-79aa-97f2502e193f", "1"]) expect((await onevirt(reference, ...HERE)).stdout).toBe(byName.stdout);
  });

  test("prints the same as JSON", async () => {
    const { stdout } = await onevirt("test", "--json", ...HERE);
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, name: "test", template: expect.stringContaining('NAME = "test"'), notes: expect.any(Array), differences: expect.arrayContaining([expect.objectContaining({ xpath: "/domain/name" })]) });
  });

  test.each([
    { words: [], code: 2, says: "name one domain, or a document with --file" },
    { words: ["a", "b"], code: 2, says: "name one domain" },
    { words: ["a", "--file", "b"], code: 2, says: "name one domain" },
    { words: ["a", "--strange"], code: 2, says: "unknown option" },
    { words: ["test", "--cgroups", "3"], code: 2, says: 'Cannot use --cgroups "3"' },
    { words: ["nobody", ...HERE], code: 1, says: 'Cannot find domain "nobody" on test:///default' },
    { words: ["--file", "/dev/null"], code: 1, says: "Cannot read /dev/null" },
    { words: ["--file", "/nowhere"], code: 1, says: 'Cannot read "/nowhere"' },
  ])("$words ends with $code and one line", async ({ words, code, says }) => {
    const { exitCode, stdout, stderr } = await onevirt(...words);
    expect({ exitCode, stdout, lines: stderr.trim().split("\n").length }).toEqual({ exitCode: code, stdout: "", lines: 1 });
    expect(stderr).toContain(says);
  });
});
