import { describe, expect, test } from "bun:test";
import { noWords, oneOf, parseWords } from "../../../src/cli/options.ts";

const TABLE = {
  file: { type: "positional", description: "" },
  vm: { type: "string", description: "" },
  json: { type: "boolean", description: "" },
} as const;

describe("parseWords()", () => {
  test("takes values, flags and words apart, in any order", () => {
    const { values, flags, words } = parseWords(["a", "--vm", "-", "--json", "b", "--vm=x=y"], TABLE);
    expect([values, [...flags], words]).toEqual([{ vm: "x=y" }, ["json"], ["a", "b"]]);
  });

  test("takes - for a word, and everything after --", () => expect(parseWords(["-", "--", "--vm"], TABLE).words).toEqual(["-", "--vm"]));

  test.each([
    [["--host", "x"], `Cannot understand option "--host"`],
    [["--file", "x"], `Cannot understand option "--file"`],
    [["--vm"], `Cannot use option "--vm": its value is missing`],
    [["--json=1"], `Cannot use option "--json": it takes no value`],
    [["--constructor"], `Cannot understand option "--constructor"`],
  ])("refuses %j", (argv, reason) => expect(() => parseWords(argv, TABLE)).toThrow(reason));
});

test("oneOf() names what is allowed", () => {
  expect(oneOf("cgroups", "2", ["1", "2"])).toBe("2");
  expect(() => oneOf("cgroups", "3", ["1", "2"])).toThrow(`Cannot use --cgroups "3": expected 1 or 2`);
});

test("noWords() refuses what no option took", () => expect(() => noWords(parseWords(["x"], TABLE))).toThrow(`Cannot understand argument "x"`));
