import { describe, expect, test } from "bun:test";
import { selectXPath } from "../../../src/domain/xpath.ts";

interface Tree { readonly name: string; readonly text: string; readonly attributes: readonly { readonly name: string; readonly text: string }[]; readonly children: readonly Tree[] }

function node(name: string, attributes: Record<string, string> = {}, ...children: readonly (Tree | string)[]): Tree {
  return { name, text: children.filter((each) => typeof each === "string").join(""), attributes: Object.entries(attributes).map(([key, text]) => ({ name: key, text })), children: children.filter((each) => typeof each === "object") };
}

const TREE = node("domain", { type: "kvm" },
  node("name", {}, "one-7"),
  node("devices", {}, node("disk", { device: "disk" }, node("target", { dev: "vda" })), node("disk", { device: "cdrom" }, node("target", { dev: "sda" }))),
  node("devices", {}, node("channel")));

describe("selectXPath()", () => {
  test.each([
    ["/domain/@type", ["kvm"]],
    ["//target/@dev", ["vda", "sda"]],
    ["//disk[2]/target/@dev", ["sda"]],
    ["/domain/devices/disk[last()]/@device", ["cdrom"]],
    ["//disk[@device='cdrom']/target/@*", ["sda"]],
    ["//disk[target/@dev=\"vda\"]/@device", ["disk"]],
    ["disk/@device", ["disk", "cdrom"]],
    ["/domain/*/disk[@device][1]/@device", ["disk"]],
    ["/domain/devices[disk]/disk/@nothing", []],
  ])("%s selects attributes %p", (xpath, expected) => expect(selectXPath(TREE, xpath).attributes.map(({ text }) => text)).toEqual(expected));

  test.each([
    ["/domain/name", ["one-7"]],
    ["/domain/name/text()", ["one-7"]],
    ["/domain[name='one-7']/name", ["one-7"]],
    ["/domain[name='x']/name", []],
    ["/domain/devices[2]/channel", [""]],
    ["/nothing", []],
  ])("%s selects elements %p", (xpath, expected) => expect(selectXPath(TREE, xpath).elements.map(({ text }) => text)).toEqual(expected));

  test.each(["/domain//", "/domain[", "/domain/name | //x", "count(//disk)", ""])("%j is refused", (xpath) => expect(() => selectXPath(TREE, xpath)).toThrow("Cannot understand XPath"));
});
