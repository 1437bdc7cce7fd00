import { describe, expect, test } from "bun:test";
import { findSingle, vectorsOf } from "../../../src/codec/attributes.ts";
import { parseAttributes, parseVmDocument } from "../../../src/codec/vm-document.ts";

const VM = `<VM><ID>7</ID><UID>1</UID><GID>2</GID><UNAME>ann</UNAME><GNAME>users</GNAME><NAME>a &amp; b</NAME><STIME>11</STIME>
  <TEMPLATE>
    <CPU><![CDATA[1]]></CPU><EMPTY><![CDATA[]]></EMPTY><NOTHING></NOTHING><NOTHING/>
    <OS><ARCH><![CDATA[x86_64]]></ARCH><MACHINE><![CDATA[]]></MACHINE><KERNEL/></OS>
    <DISK><DISK_ID>0</DISK_ID></DISK><DISK><DISK_ID>1</DISK_ID><DISK_ID>2</DISK_ID></DISK>
    <SPLIT><![CDATA[a]]]]><![CDATA[>b]]></SPLIT>
  </TEMPLATE>
  <USER_TEMPLATE><HYPERV_TIMERS><![CDATA[x]]></HYPERV_TIMERS></USER_TEMPLATE>
  <HISTORY_RECORDS><HISTORY><SEQ>10</SEQ><DS_ID>5</DS_ID><HID>3</HID></HISTORY><HISTORY><SEQ>9</SEQ><DS_ID>4</DS_ID></HISTORY></HISTORY_RECORDS></VM>`;

describe("parseVmDocument()", () => {
  test("reads the fields around the template and the record with the highest SEQ", async () =>
    expect(await parseVmDocument(VM, "vm")).toMatchObject({ id: "7", name: "a & b", uid: "1", gid: "2", userName: "ann", groupName: "users", startTime: "11", history: { datastoreId: "5", hostId: "3", vmMad: "" } }));

  test("keeps an empty value apart from an absent one, and drops elements without any node", async () => {
    const { template } = await parseVmDocument(VM, "vm");
    expect([findSingle(template, "EMPTY")?.value, findSingle(template, "NOTHING"), vectorsOf(template, "NOTHING")]).toEqual(["", undefined, []]);
    expect([...(vectorsOf(template, "OS")[0]?.entries ?? [])]).toEqual([["ARCH", { value: "x86_64" }], ["MACHINE", { value: "" }]]);
  });

  test("keeps vectors of one name in order, the first of equal keys, and divided CDATA together", async () => {
    const { template } = await parseVmDocument(VM, "vm");
    expect(vectorsOf(template, "DISK").map(({ entries }) => entries.get("DISK_ID")?.value)).toEqual(["0", "1"]);
    expect(findSingle(template, "SPLIT")?.value).toBe("a]]>b");
  });

  test("refuses other documents and broken ones", async () => {
    expect(parseVmDocument("<HOST/>", "vm")).rejects.toThrow("Cannot read vm: expected a VM document, found <HOST>");
    expect(parseVmDocument("<VM><ID>", "vm")).rejects.toThrow("Cannot read vm");
  });
});

test("parseAttributes() reads a host from template syntax and from its document alike", async () => {
  const [text, xml] = await Promise.all([parseAttributes(`A = " 1 "\nB = [ C = 2 ]`, "h"), parseAttributes("<HOST><ID>1</ID><TEMPLATE><A><![CDATA[1]]></A><B><C>2</C></B></TEMPLATE></HOST>", "h")]);
  for (const attributes of [text, xml]) expect([findSingle(attributes, "A")?.value, vectorsOf(attributes, "B")[0]?.entries.get("C")?.value]).toEqual(["1", "2"]);
});
