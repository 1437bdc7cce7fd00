import { describe, expect, test } from "bun:test";
import { generateDomain } from "../../../src/domain/generate.ts";
import { domainInput } from "../../../src/domain/input.ts";
import { goldenTexts } from "../../golden/domain-xml/cases.ts";

const BASE = "<CPU>1</CPU><MEMORY>64</MEMORY>";
const HISTORY = "<HISTORY_RECORDS><HISTORY><SEQ>0</SEQ><DS_ID>1</DS_ID></HISTORY></HISTORY_RECORDS>";

async function generate(template: string, host = "", history = HISTORY) {
  const texts = await goldenTexts("head");
  return generateDomain(await domainInput({ ...texts, vm: { name: "vm.xml", text: `<VM><ID>7</ID><NAME>x</NAME><TEMPLATE>${template}</TEMPLATE>${history}</VM>` }, host: { name: "host.conf", text: host } }));
}

describe("generateDomain() refuses", () => {
  test.each([
    ["a VM without memory", "<CPU>1</CPU>", "No MEMORY defined and no default provided."],
    ["memory that is no number", "<MEMORY>64M</MEMORY>", "No MEMORY defined and no default provided."],
    ["an empty architecture", `${BASE}<OS><ARCH><![CDATA[]]></ARCH></OS>`, "No ARCH defined and no default provided."],
    ["a disk without target", `${BASE}<DISK><DISK_ID>0</DISK_ID></DISK>`, "Wrong target value in DISK."],
    ["a disk without number", `${BASE}<DISK><TARGET>vda</TARGET></DISK>`, "a DISK has no DISK_ID"],
    ["a Gluster disk without source", `${BASE}<DISK><DISK_ID>0</DISK_ID><TYPE>GLUSTER</TYPE><TARGET>vda</TARGET></DISK>`, "SOURCE of GLUSTER disk 0 is empty"],
    ["a resolution without height", `${BASE}<VIDEO><TYPE>vga</TYPE><RESOLUTION>800</RESOLUTION></VIDEO>`, `VIDEO/RESOLUTION "800" is not WIDTHxHEIGHT`],
    ["more processors than a node has", `${BASE}<TOPOLOGY><PIN_POLICY>CORE</PIN_POLICY></TOPOLOGY><NUMA_NODE><TOTAL_CPUS>2</TOTAL_CPUS><CPUS>1</CPUS></NUMA_NODE>`, "NUMA_NODE 0 has fewer CPUS than TOTAL_CPUS"],
    ["a node that would exhaust the memory", `${BASE}<NUMA_NODE><TOTAL_CPUS>4000000000</TOTAL_CPUS></NUMA_NODE>`, `Cannot use NUMA_NODE/TOTAL_CPUS "4000000000": more than 65536`],
    ["raw text that is not well-formed", `${BASE}<RAW><TYPE>kvm</TYPE><DATA><![CDATA[</domain>]]></DATA></RAW>`, "RAW/DATA is not well-formed"],
    ["a NIC whose socket would be elsewhere", `${BASE}<NIC><BRIDGE>b</BRIDGE><BRIDGE_TYPE>openvswitch_dpdk</BRIDGE_TYPE><TARGET>../../../etc/x</TARGET></NIC>`, `TARGET of the NIC is "../../../etc/x", no name of a device`],
    ["a firmware outside the list", `${BASE}<OS><FIRMWARE>/opt/evil.fd</FIRMWARE></OS>`, "FIRMWARE '/opt/evil.fd' not allowed."],
  ])("%s", (_what, template, reason) => expect(generate(template)).rejects.toThrow(reason));

  test("a firmware when there is no list", () => expect(generate(`${BASE}<OS><FIRMWARE>/opt/evil.fd</FIRMWARE></OS>`, `OVMF_UEFIS = ""`)).rejects.toThrow("No OVMF_UEFIS defined in configuration."));

  test("an administrator's text that is not well-formed", () => expect(generate(BASE, `RAW = "<a>"`)).rejects.toThrow("RAW is not well-formed"));

  test("a VM that was never placed", () => expect(generate(BASE, "", "")).rejects.toThrow("its document has no history record with a DS_ID"));

  test("a defaults file with a mistake, naming its place", () => expect(domainInputWith(`A = [ B`)).rejects.toThrow("Cannot read own.conf line 1 column 8"));
});

test("generateDomain() leaves the memory of a display out that nobody gave", async () =>
  expect((await generate(`${BASE}<VIDEO><TYPE>vga</TYPE></VIDEO>`)).xml).toContain("<model type='vga'>\n"));

test("generateDomain() finishes a large VM in a moment", async () => {
  const disks = Array.from({ length: 256 }, (_, i) => `<DISK><DISK_ID>${i}</DISK_ID><TARGET>vd${String.fromCharCode(97 + (i % 26))}</TARGET></DISK>`).join("");
  const begun = performance.now();
  await generate(`${BASE}<FEATURES><IOTHREADS>4</IOTHREADS></FEATURES>${disks}`);
  expect(performance.now() - begun).toBeLessThan(3000);
});

async function domainInputWith(defaults: string) {
  return domainInput({ ...(await goldenTexts("head")), defaults: { name: "own.conf", text: defaults } });
}
