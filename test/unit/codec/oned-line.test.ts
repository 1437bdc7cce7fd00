import { describe, expect, test } from "bun:test";
import { logLine, parseRequestLine, resultLine } from "../../../src/codec/oned-line.ts";

const parse = (line: string) => parseRequestLine(line, (action) => action === "DEPLOY");

describe("parseRequestLine", () => {
  test("takes one blank as 5.x writes it, two as later ones do, and any case", () => {
    expect(parse("DEPLOY  7 AAAA")).toEqual({ kind: "action", action: "DEPLOY", id: "7", payload: "AAAA", oldForm: false });
    expect(parse("deploy 0007 AAAA")).toEqual({ kind: "action", action: "DEPLOY", id: "0007", payload: "AAAA", oldForm: true });
  });

  test("knows INIT, FINALIZE and DRIVER_CANCEL without a message", () => {
    expect(["init", "FINALIZE", "DRIVER_CANCEL  7 ", "INIT 1"].map(parse)).toEqual([
      { kind: "control", action: "INIT" }, { kind: "control", action: "FINALIZE" }, { kind: "cancel", id: "7" }, { kind: "ignored" },
    ]);
  });

  test("ignores empty lines and lines that begin with a blank", () => {
    expect(["", "   ", " DEPLOY 7 AAAA", "\r"].map((line) => parse(line).kind)).toEqual(["ignored", "ignored", "ignored", "ignored"]);
  });

  test("refuses a known action without a message or with more, when its id can be read", () => {
    expect(["DEPLOY  7", "DEPLOY  7 a b"].map((line) => parse(line).kind)).toEqual(["refused", "refused"]);
    expect(["DEPLOY", "FROB 7 AAAA", "DRIVER_CANCEL"].map((line) => parse(line).kind)).toEqual(["unknown", "unknown", "unknown"]);
  });
});

describe("resultLine", () => {
  test("makes one line of any text", () => {
    expect(resultLine("DEPLOY", true, "7", "a\r\n\0b\nCANCEL SUCCESS 9 -")).toBe("DEPLOY SUCCESS 7 a b CANCEL SUCCESS 9 -\n");
  });

  test("keeps an error text that begins with a dash from being swallowed, and a lone dash as it is", () => {
    expect(resultLine("SAVE", false, "7", "-bash: no")).toBe("SAVE FAILURE 7 Error: -bash: no\n");
    expect(resultLine("SAVE", false, "7", "-")).toBe("SAVE FAILURE 7 -\n");
    expect(resultLine("DEPLOY", true, "7", "-x")).toBe("DEPLOY SUCCESS 7 -x\n");
  });

  test("keeps the blank that network steps begin with", () => {
    expect(resultLine("DEPLOY", false, "7", " bridge: no")).toBe("DEPLOY FAILURE 7  bridge: no\n");
  });
});

test("logLine makes one line of any text", () => {
  expect(logLine("E", "-1", "a\nb")).toBe("LOG E -1 a b\n");
});
