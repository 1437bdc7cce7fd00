import { describe, expect, test } from "bun:test";
import { type Attributes, lastOfEachName, trimmed } from "../../../src/codec/attributes.ts";
import { parseTemplate } from "../../../src/codec/template.ts";

/** Names and values without their places. */
function plain(attributes: Attributes): unknown[] {
  return attributes.map((each) => (each.kind === "single" ? [each.name, each.value] : [each.name, Object.fromEntries([...each.entries].map(([key, { value }]) => [key, value]))]));
}

const read = (text: string) => plain(parseTemplate(text, "t"));

describe("parseTemplate()", () => {
  test("reads bare, quoted and vector values, upper-casing names", () =>
    expect(read(`a = 1\nB="two words"\nc = [ d = e, F = "g, h" ]`)).toEqual([["A", "1"], ["B", "two words"], ["C", { D: "e", F: "g, h" }]]));

  test("knows comments between attributes, behind values and inside vectors", () =>
    expect(read(`# first\nA = 1 # one\nB = [ # start\n  C = 2, # two\n  D = 3 ]`)).toEqual([["A", "1"], ["B", { C: "2", D: "3" }]]));

  test("keeps an empty value, an empty vector and a value on the next line apart", () =>
    expect(read(`A =\nB = ""\nC = [ ]\nD = 1`)).toEqual([["A", ""], ["B", ""], ["C", {}], ["D", "1"]]));

  test("keeps newlines and white space of quoted values, and undoes only the escaped quote", () =>
    expect(read(`A = " x\\n\n \\"y\\" "`)).toEqual([["A", ` x\\n\n "y" `]]));

  test("keeps every definition of a name, in order; of a key the first", () =>
    expect(read(`A = 1\nA = 2\nA = [ K = 1, K = 2 ]`)).toEqual([["A", "1"], ["A", "2"], ["A", { K: "1" }]]));

  test("puts ONE_ in front of names that XML cannot hold", () => expect(read(`9A = 1\nXMLish = 2\nxml = 3`)).toEqual([["ONE_9A", "1"], ["ONE_XMLISH", "2"], ["XML", "3"]]));

  test("reads attributes that share a line, and carriage returns", () => expect(read(`A=1 B=2\r\nC=3\r\n`)).toEqual([["A", "1"], ["B", "2"], ["C", "3"]]));

  test("remembers where each value stands", () => {
    const [, vector] = parseTemplate(`A = 1\n  B = [\n    C = 2 ]`, "t");
    expect(vector).toMatchObject({ at: { line: 2, column: 3 } });
    expect(vector?.kind === "vector" && vector.entries.get("C")).toEqual({ value: "2", at: { line: 3, column: 5 } });
  });

  test.each([
    ["A = [ B = 1, ]", "line 1 column 14: expected a name, found \"]\""],
    ["A = [ B = 1 C = 2 ]", "line 1 column 13: expected \",\" or \"]\" after A/B, found \"C\""],
    ["A = 1\nB = \"x", "line 2 column 6: the quote of B is never closed"],
    ["A = ]", "line 1 column 5: expected a value for A, found \"]\""],
    ["A 1", "line 1 column 3: expected \"=\" after A, found \"1\""],
    ["A = [ B = 1", "line 1 column 12: expected \",\" or \"]\" after A/B, found the end of the text"],
    ["A = \"]]>\"", "line 1 column 5: \"]]>\" may not stand in the value of A"],
    ["A = 1,2", "line 1 column 6: expected a name, found \",\""],
  ])("refuses %j and says where", (text, reason) => expect(() => parseTemplate(text, "t")).toThrow(`Cannot read t ${reason}`));

  test("takes time that grows with the text only", () => {
    const started = performance.now();
    parseTemplate("ATTRIBUTE = [ KEY = \"value\" ]\n".repeat(20_000), "t");
    expect(performance.now() - started).toBeLessThan(3000);
  });

  test("parseTemplate() called the quote of a value of some megabytes unclosed", () => {
    const value = `${"x".repeat(8_000_000)}\\" y`;
    expect(parseTemplate(`A="${value}"\n`, "x")).toEqual([expect.objectContaining({ name: "A", value: value.replace('\\"', '"') })]);
  });
});

test("lastOfEachName() lets a second definition remove the first completely", () =>
  expect(plain(lastOfEachName(parseTemplate(`A = [ X = 1 ]\nB = 2\nA = [ Y = 3 ]\nB = [ Z = 4 ]`, "t")))).toEqual([["A", { Y: "3" }], ["B", { Z: "4" }]]));

test("trimmed() removes white space around values", () => expect(plain(trimmed(parseTemplate(`A = "\n x "\nB = [ C = " y\t" ]`, "t")))).toEqual([["A", "x"], ["B", { C: "y" }]]));
