import { describe, expect, test } from "bun:test";
import { scriptsRemoteDirectory } from "../../../src/codec/oned-config.ts";
import { rcVariables } from "../../../src/codec/rc-file.ts";
import { releaseOf } from "../../../src/codec/release.ts";
import { errorText, loggedLines } from "../../../src/codec/script-output.ts";
import { quoteWord, showCommand } from "../../../src/codec/shell-word.ts";
import { parseTmCommand, tmLines } from "../../../src/codec/tm-command.ts";

describe("files of the front-end", () => {
  test.each([
    [undefined, "/var/tmp/one"], ["", "/var/tmp/one"], ["SCRIPTS_REMOTE_DIR=/a\n", "/a"], [" scripts_remote_dir = '/b/' \nX=1", "/b"],
    ['SCRIPTS_REMOTE_DIR=/a\nSCRIPTS_REMOTE_DIR="/c"\n', "/c"], ["SCRIPTS_REMOTE_DIR=\n", "/var/tmp/one"],
  ])("the directory on hosts from %j is %s", (text, directory) => {
    expect(scriptsRemoteDirectory(text)).toBe(directory);
  });

  test("an rc file gives what is assigned at the start of a line, also around shell code", () => {
    const text = '# words\nA="x y"\n  B=1\nexport C=2\nif [ -n "$A" ]; then\n  D=3\nfi\nE=`date`\nF=\'4\' # no\nA=last\n';
    expect(rcVariables(text)).toEqual({ A: "last", F: "4" });
    expect(rcVariables("PRIORITY=19\nONE_MAD_DEBUG=\n")).toEqual({ PRIORITY: "19", ONE_MAD_DEBUG: "" });
  });

  test("a release is its first two numbers", () => {
    expect(["5.6.0\n", "7.5.80", "6.10.2.1", "", undefined, "x"].map(releaseOf)).toEqual([506, 705, 610, undefined, undefined, undefined]);
  });
});

describe("script output", () => {
  test("lines keep their severity; plain ones are information", () => {
    expect(loggedLines("INFO: a: b\nDEBUG: c\nERROR: 12 d\nWARN: e\nERROR:f\n  g  \n\nWARNING h\n").map(({ letter, text }) => `${letter} ${text}`))
      .toEqual(["I a: b", "D c", "E 12 d", "W e", "E f", "I g", "I ", "I WARNING h"]);
  });

  test("the user's text is all that is no log line, joined by a blank", () => {
    expect(errorText("error: A\nerror: B\r\nERROR: deploy: C\n\n D \nERROR:nospace\nINFO:\n")).toBe("error: A error: B D ERROR:nospace");
  });

  test("an error block of 5.x is the text, and its lines are errors", () => {
    const block = "x\nERROR MESSAGE --8<------\nCould not\nfrom y\nERROR MESSAGE ------>8--\nz\nERROR MESSAGE --8<------\nsecond\nERROR MESSAGE ------>8--\n";
    expect(errorText(block)).toBe("Could not from y");
    expect(loggedLines(block).map(({ letter, text }) => `${letter} ${text}`)).toEqual(["I x", "E Could not", "E from y", "I z", "E second"]);
  });
});

test("quoteWord leaves nothing to a shell", () => {
  expect(quoteWord("a'b$(c)")).toBe("'a'\\''b$(c)'");
});

test("showCommand quotes what needs it and shortens documents", () => {
  expect(showCommand(["/a/b", "x y", "", "k=v", "z".repeat(300)])).toBe("/a/b 'x y' '' k=v '… 300 characters …'");
});

test("parseTmCommand needs an action and a driver", () => {
  expect(parseTmCommand("CLONE.ssh  ssh a b\n")).toEqual({ action: "CLONE.ssh", driver: "ssh", arguments: ["a", "b"] });
  expect([parseTmCommand(""), parseTmCommand("CLONE")]).toEqual([undefined, undefined]);
  expect(tmLines("a b\n\n c d \n")).toEqual(["a b", "c d"]);
});
