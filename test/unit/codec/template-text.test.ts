import { describe, expect, test } from "bun:test";
import { parseTemplate } from "../../../src/codec/template.ts";
import { printable, templateComment, templateValue } from "../../../src/codec/template-text.ts";

/** What OpenNebula reads again. */
function readAgain(written: string): string | undefined {
  const [found, ...more] = parseTemplate(`A = ${written}\nB = 1`, "the template");
  expect(more.map(({ name }) => name)).toEqual(["B"]);
  return found?.kind === "single" ? found.value : undefined;
}

describe("templateValue()", () => {
  test.each(["", "a", "007", `a"b`, `"`, `""`, `a\\b`, `C:\\dir\\file`, `\\\\x`, `]`, `, B = "x"`, "#no comment", "Ünïcödé ☃", "a=b"])("%s is read as it was", (text) => {
    expect(readAgain(templateValue(text))).toBe(text);
  });

  test.each([[`a\\`, `a\\ `], [`\\\\`, `\\\\ `], [`\\\\"x`, `\\\\ "x`], [`\\"`, `\\ "`], [`\\"; B = 2`, `\\ "; B = 2`], ["]]>", "]] >"], ["a\nB = 2", "a B = 2"], ["\u001b[2J", " [2J"], ["\u202egpj", " gpj"], ["\ud800", "\ufffd"]])("%j cannot be written exactly: %j", (text, read) => {
    expect(readAgain(templateValue(text))).toBe(read);
  });

  test("lines are kept where they belong to the value, other control characters never", () => {
    expect(readAgain(templateValue(`<a>\n\t"b"</a>\u001b\u0000\r`, { lines: true }))).toBe(`<a>\n\t"b"</a> `);
  });

  test("no text of quotes and backslashes ends its value", () => {
    for (let number = 0; number < 4 ** 6; number += 1) {
      const text = [...number.toString(4).padStart(6, "0")].map((digit) => [`"`, `\\`, "x", "\n"][Number(digit)]).join("");
      readAgain(templateValue(text));
    }
  });
});

test("templateComment() is one line, whatever the text", () => {
  expect(templateComment("a\nB = 1\r\u2028\u001b[31m\u202e")).toBe("# a\\u000aB = 1\\u000d\\u2028\\u001b[31m\\u202e");
  expect(parseTemplate(`${templateComment("x\nEVIL = 1")}\nA = 1`, "the template").map(({ name }) => name)).toEqual(["A"]);
});

test("printable() leaves ordinary text alone", () => {
  expect(printable("é☃ \"x\"")).toBe("é☃ \"x\"");
});
