import { describe, expect, test } from "bun:test";
import { MarkerReader, remoteProgram, runOrder } from "../../../src/codec/remote-shell.ts";

describe("MarkerReader", () => {
  const read = (text: string, size: number): readonly string[] => {
    const seen: string[] = [];
    const reader = new MarkerReader("T0K", { data: (chunk) => seen.push(`data ${Buffer.from(chunk).toString()}`), marker: (words) => seen.push(`mark ${words}`) });
    for (let at = 0; at < text.length; at += size) reader.push(Buffer.from(text.slice(at, at + size)));
    reader.end();
    return joinData(seen);
  };

  test.each([1, 2, 3, 7, 1000])("finds markers at any column, in chunks of %d", (size) => {
    expect(read("noise\nT0K begin\nabc\nT0K x\nT0 K\n\nT0Knot\n\nT0K end 0\nlate", size)).toEqual(["data noise", "mark begin", "data abc", "mark x", "data T0 K\n\nT0Knot\n", "mark end 0", "data late"]);
  });

  test("gives back an unfinished marker as data when nothing more comes", () => {
    expect(read("a\nT0K en", 3)).toEqual(["data a\nT0K en"]);
  });
});

test("runOrder keeps any word on its line", () => {
  expect(Buffer.from(runOrder(["/a", "b'c\nd", ""], Buffer.from("ab\n"))).toString()).toBe(`run 4 '/a' 'b'\\''c'"$_ov_nl"'d' ''\nab\n.`);
});

test("remoteProgram is read whole before it begins: its last line starts it", () => {
  expect(remoteProgram("x").trimEnd().split("\n").at(-1)).toBe("_ov_main");
});

function joinData(seen: readonly string[]): readonly string[] {
  return seen.reduce<readonly string[]>((joined, item) => {
    const last = joined.at(-1);
    return item.startsWith("data ") && last?.startsWith("data ") ? [...joined.slice(0, -1), last + item.slice(5)] : [...joined, item];
  }, []);
}
