import { describe, expect, test } from "bun:test";
import { DriverMessage, peekHost } from "../../../src/codec/driver-message.ts";
import { networkDocument, networkDrivers } from "../../../src/codec/network-document.ts";
import { redactPayload, redactXml } from "../../../src/codec/redact-message.ts";
import { parseSourceXml, sourceText, writeSourceXml } from "../../../src/codec/source-xml.ts";

const encode = (text: string): string => Buffer.from(text).toString("base64");
const message = (inner: string): DriverMessage => DriverMessage.parse(encode(`<VMM_DRIVER_ACTION_DATA>${inner}</VMM_DRIVER_ACTION_DATA>`));

describe("source XML", () => {
  test("is written back as it was, but empty elements and quotes as upstream writes them", () => {
    const text = `<?xml version="1.0"?>\n<A>\n <B></B><C x="1>2" y='3'/><D><![CDATA[]]></D><E>&lt;é</E><!-- <x> --><F> </F></A>`;
    expect(writeSourceXml(parseSourceXml(text, "it"))).toBe("<A>\n <B/><C x='1>2' y='3'/><D><![CDATA[]]></D><E>&lt;é</E><!-- <x> --><F> </F></A>");
  });

  test("gives text with entities and CDATA resolved, comments left out", () => {
    expect(sourceText(parseSourceXml("<A><B>a&lt;&#65;&#x42;<!-- no --><![CDATA[&lt;<c>]]>&unknown1;</B></A>".replace("&unknown1;", ""), "it"), "B")).toBe("a<AB&lt;<c>");
  });

  test.each(["", "no", "<A>", "<A></B>", "<A/><B/>", "<A x=1/>", "<A>&</A>"])("refuses %j", (text) => {
    expect(() => parseSourceXml(text, "it")).toThrow(expect.objectContaining({ code: "BAD_INPUT" }));
  });

  test("reads a megabyte of nested elements in time", () => {
    const text = `<A>${"<B><C><![CDATA[x]]></C></B>".repeat(40_000)}</A>`;
    const began = performance.now();
    expect(writeSourceXml(parseSourceXml(text, "it"))).toBe(text);
    expect(performance.now() - began).toBeLessThan(3000);
  });
});

describe("DriverMessage", () => {
  test.each([["!!!", "it is not base64"], ["AAA", "it is not base64"], [encode("<A/>"), "expected VMM_DRIVER_ACTION_DATA, found A"]])("refuses %s", (payload, reason) => {
    expect(() => DriverMessage.parse(payload)).toThrow(reason);
  });

  test("tells an empty element from a missing one", () => {
    const read = message("<HOST>h</HOST><DEPLOY_ID/>");
    expect([read.find("HOST"), read.find("DEPLOY_ID"), read.find("MIGR_HOST"), read.text("MIGR_HOST")]).toEqual(["h", "", undefined, ""]);
  });

  test("finds the device that is marked", () => {
    const read = message("<VM><TEMPLATE><DISK><ID>1</ID></DISK><DISK><ATTACH><![CDATA[YES]]></ATTACH><ID>2</ID></DISK></TEMPLATE></VM>");
    expect(read.marked("VM/TEMPLATE/DISK", "ATTACH")?.text("ID")).toBe("2");
    expect(read.marked("VM/TEMPLATE/NIC", "ATTACH")).toBeUndefined();
  });

  test("peekHost reads the host without the rest, and leaves what is unusual to a full reading", () => {
    expect(peekHost(encode(`<VMM_DRIVER_ACTION_DATA><HOST>node1</HOST>${"x".repeat(9000)}`))).toBe("node1");
    expect([encode("<A/>"), "!!", encode("<VMM_DRIVER_ACTION_DATA><HOST>a&amp;b</HOST>")].map(peekHost)).toEqual([undefined, undefined, undefined]);
  });
});

describe("the document of network scripts", () => {
  const vm = parseSourceXml(
    `<VM><ID>7</ID><DEPLOY_ID></DEPLOY_ID><TEMPLATE><PCI><VN_MAD>b</VN_MAD></PCI><NIC><VN_MAD>a</VN_MAD></NIC><NIC><X/></NIC><NIC_ALIAS><VN_MAD><![CDATA[c]]></VN_MAD></NIC_ALIAS><NIC><VN_MAD>a</VN_MAD></NIC></TEMPLATE>
<HISTORY_RECORDS><HISTORY><HOSTNAME>h</HOSTNAME><HID>1</HID><DS_ID>0</DS_ID><VM_MAD>kvm</VM_MAD></HISTORY></HISTORY_RECORDS></VM>`, "it");

  test("names each driver once: NICs, aliases, PCI devices", () => {
    expect(networkDrivers(vm)).toEqual(["a", "c", "b"]);
  });

  test.each([[506, ""], [510, "<DS_ID>0</DS_ID>"], [600, "<HID>1</HID><DS_ID>0</DS_ID>"]] as const)("has the parts of release %d", (release, added) => {
    const text = networkDocument(vm, release);
    expect(["HID", "DS_ID"].map((name) => new RegExp(`<${name}>.</${name}>`).exec(text)?.[0] ?? "").join("")).toBe(added);
    expect(text).toStartWith("<VM><ID>7</ID><DEPLOY_ID/><HISTORY_RECORDS><HISTORY><HOSTNAME>h");
    expect(text).toEndWith("<TEMPLATE><NIC_ALIAS><VN_MAD><![CDATA[c]]></VN_MAD></NIC_ALIAS></TEMPLATE><TEMPLATE><PCI><VN_MAD>b</VN_MAD></PCI></TEMPLATE></VM>");
  });
});

describe("redaction", () => {
  test("strikes out passwords, keys and tokens, and keeps the rest readable", () => {
    const text = "<D><RESTIC_PASSWORD><![CDATA[s3]]></RESTIC_PASSWORD><CEPH_KEY>x</CEPH_KEY><KEYMAP>de</KEYMAP><HOST>h</HOST><QEMU_GA_EXEC><COMMAND>c</COMMAND><STDIN>aGk=</STDIN></QEMU_GA_EXEC></D>";
    expect(redactXml(text)).toBe("<D><RESTIC_PASSWORD>***</RESTIC_PASSWORD><CEPH_KEY>***</CEPH_KEY><KEYMAP>de</KEYMAP><HOST>h</HOST><QEMU_GA_EXEC><COMMAND>c</COMMAND><STDIN>***</STDIN></QEMU_GA_EXEC></D>");
  });

  test("leaves nothing of a payload that is no document", () => {
    expect(redactPayload("!!!secret")).toBe("");
  });
});
