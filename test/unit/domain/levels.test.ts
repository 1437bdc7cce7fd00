import { describe, expect, test } from "bun:test";
import { lastOfEachName } from "../../../src/codec/attributes.ts";
import { parseTemplate } from "../../../src/codec/template.ts";
import { Level, Lookup } from "../../../src/domain/levels.ts";
import { readInteger, saturated, UINT32, INT32 } from "../../../src/domain/numbers.ts";

function lookup(...texts: readonly string[]): Lookup {
  return new Lookup(texts.map((text, index) => new Level(index === 0 ? "vm" : "defaults", lastOfEachName(parseTemplate(text, "t")), { root: "", file: `level ${index}` })));
}

describe("Lookup", () => {
  test("finds a text also when it is empty", () => expect(lookup(`A = ""`, `A = "x"`).text("A").text).toBe(""));

  test("hides only the keys that a level holds", () => {
    const levels = lookup(`V = [ A = "1" ]`, `V = [ A = "2", B = "3" ]`);
    expect([levels.keyText("V", "A").text, levels.keyText("V", "B").text, levels.keyText("V", "C").text]).toEqual(["1", "3", ""]);
  });

  test("asks only the first vector of a level", () => expect(new Lookup([new Level("vm", parseTemplate(`V = [ A = 1 ]\nV = [ B = 2 ]`, "t"), { root: "" })]).keyText("V", "B").text).toBe(""));

  test("takes YES in any case for yes, everything else for no, and falls through an empty key", () => {
    const levels = lookup(`F = [ A = "yes", B = "true", C = "" ]`, `F = [ B = "YES", C = "YeS" ]`);
    expect(["A", "B", "C", "D"].map((key) => levels.keyFlag("F", key).on)).toEqual([true, false, true, false]);
  });

  test("skips malformed numbers, and leaves their digits when no level has a number", () => {
    expect(lookup(`N = "2x"`, `N = 5`).integer("N").count).toBe(5);
    expect(lookup(`N = "2x"`, ``).integer("N").count).toBe(0);
    expect(lookup(``, `N = "2x"`).integer("N").count).toBe(2);
    expect(lookup(`V = [ N = "2x" ]`, ``).keyInteger("V", "N").count).toBe(2);
    expect(lookup(`V = [ N = "" ]`, `V = [ N = 3 ]`).keyInteger("V", "N").count).toBe(3);
  });

  test("says where a value was found", () => expect(lookup(``, `# comment\nF = [ A = "yes" ]`).keyText("F", "A").sources).toEqual([{ kind: "defaults", name: "F/A", value: "yes", file: "level 1", line: 2 }]));
});

test.each([["007", 7n, true], [" +5", 5n, true], ["-5", -5n, true], ["5 ", 5n, false], ["0x10", 0n, false], ["2.5", 2n, false], ["", 0n, false], ["4294967296", 2n ** 31n - 1n, false]] as const)(
  "readInteger(%j) is oned's reading", (text, value, whole) => expect(readInteger(text, INT32)).toEqual({ value, whole }));

test("readInteger() takes no sign for an unsigned number", () => expect(readInteger("-5", UINT32).whole).toBe(false));

test.each([["10M", 0n], ["-5", 0n], ["17", 17n], ["99999999999", 2n ** 32n - 1n], ["", 0n]] as const)("saturated(%j) is %p", (text, value) => expect(saturated(text, UINT32)).toBe(value));
