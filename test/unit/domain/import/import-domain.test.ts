import { readdirSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { parseTemplate } from "../../../../src/codec/template.ts";
import { parseXml, type XmlElement } from "../../../../src/codec/xml.ts";
import { hasCode } from "../../../../src/core/errors.ts";
import { cpuOf } from "../../../../src/domain/import/capacity.ts";
import { sharesOf } from "../../../../src/domain/devices/cputune.ts";
import { reportImport, reportJson, reportText } from "../../../../src/domain/import/report.ts";
import { toText } from "../../../../src/domain/rewrite.ts";

const GOLDEN = new URL("../../../golden/import/", import.meta.url).pathname;
const CASES = readdirSync(GOLDEN, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
const OPTIONS = { cgroups: 1, passwords: false } as const;

const HOSTILE = [`" ]\nEVIL = [ A = "1`, `\\`, `\\"\nEVIL = 1\n#`, `]]>`, "\u001b]0;title\u0007", "\u009b2J", "\u202e\u2066", "x\r\n# y\nEVIL = 1", `'$(reboot)'; \`id\``, "a".repeat(5000), `--`, `-x`, "\ufffe".slice(1)];

function load(name: string): Promise<string> {
  return Bun.file(`${GOLDEN}${name}/domain.xml`).text();
}

describe("hostile domains", () => {
  for (const name of CASES)
    test(`${name}: no value adds an attribute, ends a comment or reaches the terminal`, async () => {
      const xml = await load(name);
      const root = parseXml(xml, name);
      const places = placesOf(root);
      for (const [index, place] of places.entries()) {
        const hostile = HOSTILE[index % HOSTILE.length] ?? "";
        const text = await imported(toText(place(hostile)));
        if (text === undefined) continue;
        expect(parseTemplate(text, name).filter((each) => each.name.includes("EVIL") || (each.kind === "vector" && each.entries.has("EVIL")))).toEqual([]);
        expect(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/.exec(text)).toBeNull();
      }
      expect(places.length).toBeGreaterThan(80);
    }, 60_000);
});

/** The report; undefined where the document is refused, which is fine too. */
async function imported(xml: string): Promise<string | undefined> {
  try {
    const report = await reportImport(xml, "the domain", OPTIONS);
    return `${reportText(report)}\n#${reportJson(report).replaceAll("\n", "\n#")}`;
  } catch (error) {
    if (!hasCode(error, "BAD_INPUT")) throw error;
    return undefined;
  }
}

describe("nothing is lost in silence", () => {
  for (const name of CASES)
    test(`${name}: an attribute or element that nobody knows is in RAW, in a note or a difference`, async () => {
      const root = parseXml(await load(name), name);
      const strangers = strangersIn(root);
      const silent: string[] = [];
      for (const [path, document] of strangers) if (!(await imported(toText(document)))?.includes("strange")) silent.push(path);
      expect(silent.filter((path) => !WHOLE.test(path))).toEqual([]);
      expect(strangers.length).toBeGreaterThan(40);
    }, 60_000);

  /** What libvirt adds to a running domain, or OpenNebula makes anew: not looked into. */
  const WHOLE = /\/(metadata|resource|address|alias|backingStore|seclabel|controller|memory\[\d+\]|memory|console|listen|audio|vcpupin|emulatorpin|numatune|memnode|nvram|loader|firmware|portid|parameters|sibling|distances|hugepages|locked|memoryBacking)(\[\d+\])?(\/|$)/;
});

describe("importDomain()", () => {
  test.each([["<domain><memory>1024</memory></domain>", "no name"], ["<network><name>a</name></network>", "expected a <domain>"], ["<domain><name>a</name><memory>much</memory></domain>", "memory"], ["<domain", "Cannot read"], ["<!DOCTYPE a><domain/>", "document type"]])("refuses %s", async (xml, reason) => {
    expect(reportImport(xml, "the document", OPTIONS)).rejects.toThrow(reason);
  });

  test("keeps the password of a display to itself unless somebody asks", async () => {
    const xml = await load("q35-uefi");
    expect(reportText(await reportImport(xml, "x", OPTIONS))).not.toContain("secret12");
    expect(reportJson(await reportImport(xml, "x", OPTIONS))).not.toContain("secret12");
    expect((await reportImport(xml, "x", { ...OPTIONS, passwords: true })).template).toContain('PASSWD = "secret12"');
    expect(reportJson(await reportImport(await load("host-devices"), "x", OPTIONS))).not.toContain("top-secret");
  });

  test("reads a CPU out of every share", () => {
    for (const [cgroups, shares] of [[1, 2], [1, 3], [1, 103], [1, 512], [1, 1024], [1, 262144], [2, 1], [2, 7], [2, 11], [2, 110], [2, 10000]] as const)
      expect(sharesOf(Number(cpuOf(shares, cgroups)), cgroups)).toBe(shares);
  });
});

/** For each text of the document, the document with another text in its place. */
function placesOf(root: XmlElement): readonly ((text: string) => XmlElement)[] {
  const own = Object.keys(root.attributes).map((name) => (text: string) => ({ ...root, attributes: { ...root.attributes, [name]: text } }));
  const inner = root.children.flatMap((child, at) => (typeof child === "string" ? (child.trim() === "" ? [] : [(text: string) => withChild(root, at, text)]) : placesOf(child).map((place) => (text: string) => withChild(root, at, place(text)))));
  return [...own, ...inner];
}

/** For each element, the document with an attribute and with an element that nobody knows. */
function strangersIn(root: XmlElement, path = ""): readonly (readonly [string, XmlElement])[] {
  const here = `${path}/${root.name}`;
  const isLeaf = root.children.every((child) => typeof child === "string");
  const added = [
    [`${here}/@strange`, { ...root, attributes: { ...root.attributes, strange: "strange" } }] as const,
    ...(isLeaf && root.children.length > 0 ? [] : [[`${here}/strange`, { ...root, children: [...root.children, { name: "strange", attributes: {}, children: [] }] }] as const]),
  ];
  return [...added, ...root.children.flatMap((child, at) => (typeof child === "string" ? [] : strangersIn(child, here).map(([inner, document]) => [inner, withChild(root, at, document)] as const)))];
}

function withChild(root: XmlElement, at: number, child: XmlElement | string): XmlElement {
  return { ...root, children: root.children.map((each, index) => (index === at ? child : each)) };
}
