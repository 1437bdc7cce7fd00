import { describe, expect, test } from "bun:test";
import { readDomainDocument, requireSafeName } from "../../../src/codec/domain-document.ts";
import { decodeDocument, MAX_DOCUMENT_BYTES } from "../../../src/codec/stdin-document.ts";
import { childrenOf, escapeXml, findAll, findFirst, parseVmXml, parseXml, textOf } from "../../../src/codec/xml.ts";
import { OnevirtError } from "../../../src/core/errors.ts";

function thrown(work: () => unknown): string {
  try {
    work();
    return "nothing";
  } catch (error) {
    return error instanceof OnevirtError ? `${error.code}: ${error.message}` : `not ours: ${String(error)}`;
  }
}

describe("decodeDocument()", () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  test.each([
    ["XML", "<domain/>"], ["XML behind blanks", " \n\t<domain/>"], ["XML behind a byte order mark", "\uFEFF<domain/>"], ["base64", base64("<domain/>")], ["base64 in lines", `${base64("<domain/>").slice(0, 5)}\n${base64("<domain/>").slice(5)}\n`], ["base64 of XML behind a line end", base64("\n<domain/>")],
  ])("decodeDocument() reads %s", (_what, stdin) => {
    expect(decodeDocument(stdin, "it").trim()).toBe("<domain/>");
  });

  test("decodeDocument() keeps a document as it came, line end included", () => {
    expect(decodeDocument("<a>\n</a>\n\n", "it")).toBe("<a>\n</a>\n\n");
  });

  test.each([
    ["nothing", "", "stdin is empty"], ["blanks", " \n\t ", "stdin is empty"], ["plain text", "hello world", "stdin is neither XML nor base64 of XML"], ["base64 of something else", base64("hello"), "stdin is neither XML nor base64 of XML"],
    ["base64 of bytes", Buffer.from([0xff, 0xfe, 0]).toString("base64"), "stdin is neither XML nor base64 of XML"], ["padding in the middle", "PGE=PGE=", "stdin is neither XML nor base64 of XML"], ["a shell", "; reboot", "stdin is neither XML nor base64 of XML"],
  ])("decodeDocument() refuses %s", (_what, stdin, reason) => {
    expect(thrown(() => decodeDocument(stdin, "the document"))).toBe(`BAD_INPUT: Cannot read the document: ${reason}`);
  });

  test("decodeDocument() refuses what libvirt's protocol cannot carry, in any form, and counts bytes", () => {
    const tooLong = /^BAD_INPUT: Cannot read it: it has \d+ bytes, and libvirt takes at most 4194304$/;
    const five = `<a>${"x".repeat(5 * 1024 * 1024)}</a>`;
    const wide = `<a>${"☃".repeat(2 * 1024 * 1024)}</a>`; // 2 Mi characters, 6 MiB
    expect([five, base64(five), wide, base64(wide)].map((text) => tooLong.test(thrown(() => decodeDocument(text, "it"))))).toEqual([true, true, true, true]);
    expect(decodeDocument(`<a>${"x".repeat(MAX_DOCUMENT_BYTES - 7)}</a>`, "it").length).toBe(MAX_DOCUMENT_BYTES);
  });
});

describe("parseXml()", () => {
  test("parseXml() keeps order, text and CDATA, and leaves out comments and instructions", () => {
    expect(parseXml("<?xml version='1.0'?><!-- c --><a x='&lt;1&gt;'>t<b/><!-- c --><![CDATA[<c>]]><?pi x?></a>", "it")).toEqual({ name: "a", attributes: { x: "<1>" }, children: ["t", { name: "b", attributes: {}, children: [] }, "<c>"] });
  });

  test.each([
    ["truncated text", "<a><b>"], ["two roots", "<a/><b/>"], ["crossed tags", "<a><b></a></b>"], ["a bare ampersand", "<a>&</a>"], ["a NUL", "<a>\0</a>"], ["no markup", "x"], ["nothing", ""], ["an attribute twice", "<a b='1' b='2'/>"],
    ["an unknown entity", "<a>&x;</a>"], ["an entity bomb", `<!DOCTYPE a [<!ENTITY x "${"y".repeat(9)}"><!ENTITY z "&x;&x;&x;">]><a>&z;</a>`], ["an external entity", "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>"],
    ["a document type behind comments", "<?xml version='1.0'?>\n<!-- <a> -->\n<!DOCTYPE a><a/>"], ["depth without end", "<a>".repeat(200_000)],
  ])("parseXml() refuses %s as BAD_INPUT", (_what, text) => {
    expect(thrown(() => parseXml(text, "the document"))).toStartWith("BAD_INPUT: Cannot read the document: ");
  });

  test("parseXml() takes a document type inside a comment or CDATA for text", () => {
    expect(textOf(parseXml("<!-- <!DOCTYPE a> --><a><![CDATA[<!DOCTYPE b>]]></a>", "it"))).toBe("<!DOCTYPE b>");
  });

  test("escapeXml() and parseXml() are inverse in text and attributes", () => {
    const text = `<&>"' ]]> ünï ☃ &amp;`;
    expect(parseXml(`<a b="${escapeXml(text)}" c='${escapeXml(text)}'>${escapeXml(text)}</a>`, "it")).toEqual({ name: "a", attributes: { b: text, c: text }, children: [text] });
  });

  test("findAll(), findFirst(), childrenOf() and textOf() follow paths, and find nothing below nothing", () => {
    const root = parseXml("<a><b><c>1</c></b><b><c>2</c><c/></b></a>", "it");
    expect([findAll(root, "b", "c").map(textOf), textOf(findFirst(root, "b", "c")), childrenOf(root, "b").length, findFirst(root, "x", "y"), textOf(undefined), childrenOf(undefined, "b")]).toEqual([["1", "2", ""], "1", 2, undefined, undefined, []]);
  });
});

describe("parseVmXml()", () => {
  test("parseVmXml() tells an empty CDATA section from an empty element", async () => {
    expect(await parseVmXml("<VM><A><![CDATA[]]></A><B/><C></C><D><![CDATA[x]]></D><E>007</E></VM>", "it")).toEqual({
      name: "VM", attributes: {}, children: [["A", [""]], ["B", []], ["C", []], ["D", ["x"]], ["E", ["007"]]].map(([name, children]) => ({ name, attributes: {}, children })) as never,
    });
  });

  test.each(["<VM>", "<A/><B/>", "", "text", "<VM>&</VM>x"])("parseVmXml() refuses %j", async (text) => {
    expect(parseVmXml(text, "vm.xml")).rejects.toMatchObject({ code: "BAD_INPUT", message: expect.stringMatching(/^Cannot read vm.xml: /) });
  });
});

describe("readDomainDocument()", () => {
  const domain = (inner: string) => `<domain type='kvm' xmlns:one='http://opennebula.org/xmlns/libvirt/1.0'>${inner}</domain>`;

  test("readDomainDocument() reads what actions need", () => {
    const text = domain(`<name>one-7</name><uuid> AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE\n</uuid><vcpu placement='static'> 2 </vcpu><memory unit='KiB'>65536</memory>
      <os><type arch='x86_64'>hvm</type><nvram format='qcow2'> /d/7/x_VARS.fd </nvram></os><features><acpi/><apic/></features>
      <devices><disk type='file' device='disk'><source file='/d/7/disk.0'/><target dev='vda'/></disk><disk type='file' device='cdrom'><source file='/d/7/disk.1'/><target dev='hda'/></disk><disk type='block'><source dev='/dev/x'/><target dev='vdb'/></disk>
      <disk><source file='/d/7/disk.2'/><target dev='vdc'/></disk><interface><target dev='one-7-0'/></interface><graphics type='vnc' port='5907'/><hostdev/><tpm><backend type='emulator' persistent_state='yes'/></tpm></devices>
      <metadata><one:vm><one:system_datastore> /d/7 </one:system_datastore></one:vm></metadata>`);
    expect(readDomainDocument(text, "it")).toEqual({
      name: "one-7", uuid: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", acpi: true, features: ["acpi", "apic"], systemDatastore: "/d/7", vcpu: "2", memoryKiB: "65536", arch: "x86_64",
      nvram: { path: "/d/7/x_VARS.fd", format: "qcow2" }, diskFiles: ["/d/7/disk.0", "/d/7/disk.2"], tpm: { persistent: true }, hostDevices: true, graphics: [{ type: "vnc", port: "5907" }], interfaceTargets: ["one-7-0"], diskTargets: ["vda", "hda", "vdb", "vdc"],
    });
  });

  test("readDomainDocument() of the smallest domain has neither UUID nor devices", () => {
    expect(readDomainDocument("<domain><name>x</name><uuid/><os><nvram> </nvram></os><devices><tpm><backend type='passthrough'/></tpm></devices></domain>", "it")).toEqual({
      name: "x", uuid: undefined, acpi: false, features: [], systemDatastore: undefined, vcpu: "1", memoryKiB: "0", arch: "", nvram: undefined, diskFiles: [], tpm: undefined, hostDevices: false, graphics: [], interfaceTargets: [], diskTargets: [],
    });
  });

  test.each([["<vm/>", "expected a <domain>, found <vm>"], ["<domain/>", "the domain has no name"], ["<domain><name></name></domain>", "the domain has no name"]])("readDomainDocument() refuses %s", (text, reason) => {
    expect(thrown(() => readDomainDocument(text, "it"))).toBe(`BAD_INPUT: Cannot read it: ${reason}`);
  });

  test.each(["one-7", "wild_9.x", "Ünï"])("requireSafeName() takes %s", (name) => {
    expect(() => requireSafeName(name, "it")).not.toThrow();
  });

  test.each(["a b", "a/b", "..\\x", "a'b", 'a"b', "a`b", "a$b", "a;b", "a|b", "a&b", "a<b", "a>b", "a\nb", "a\u0007b", "a*", "a=b", "x".repeat(201)])("requireSafeName() refuses %j", (name) => {
    expect(thrown(() => requireSafeName(name, "it"))).toStartWith("BAD_INPUT: Cannot use it: the domain name ");
  });
});
