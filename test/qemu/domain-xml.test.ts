import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateDomain } from "../../src/domain/generate.ts";
import { domainInput, type DomainTexts } from "../../src/domain/input.ts";
import { recordedCases, textsOf } from "../conformance/recorded-domains.ts";
import { goldenCases, goldenTexts } from "../golden/domain-xml/cases.ts";
import { on } from "../support/lab.ts";

const MINUTE = 60_000;
const folder = mkdtempSync(`${tmpdir()}/onevirt-domains-`);

beforeAll(() => chmodSync(folder, 0o755));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Documents that this host cannot judge or that libvirt 9.0 does not know, beside those whose notes say that libvirt refuses them. */
const UNTRIED: Readonly<Record<string, string>> = {
  "sev-offset-absent": "no SEV", "sev-offset-in-vm": "no SEV", "sev-twice": "no SEV", "own memory-encryption": "no SEV",
  "feat-ras-only": "libvirt 9.0 does not know ras", "own features": "libvirt 9.0 does not know ras",
  "arm-virt": "OpenNebula puts hda and sda in the same place on SATA", "own escaping": "values are nonsense on purpose",
};

describe("documents before qemu:///system", () => {
  test("libvirt defines every case that its notes do not mark as refused", async () => {
    const names: string[] = [];
    for (const each of await recordedCases()) if (each.vm && !each.about.expectError && !isRefused(each.about)) names.push(await write(each.name, textsOf(each)));
    for (const name of goldenCases()) names.push(await write(`own ${name}`, await goldenTexts(name)));
    const script = names.map((name) => `define ${folder}/${fileOf(name)}\nundefine ${domainOf(name)} --keep-nvram --keep-tpm\n`).join("");
    const { stdout, stderr } = await on("hosta", "virsh -c qemu:///system", script);
    const reasons = [...stderr.matchAll(/Failed to define domain from \S+\/(\S+)\.xml\nerror: (.*)/g)].map(([, file = "", reason = ""]) => `${file.replace("own_", "own ")}: ${reason}`);
    const defined = stdout.match(/' defined from/g)?.length ?? 0;
    console.info(`${names.length} documents, ${defined} defined and undefined`);
    expect({ judged: defined + reasons.length, undefined: stdout.match(/' has been undefined/g)?.length ?? 0 }).toEqual({ judged: names.length, undefined: defined });
    expect(reasons.filter((each) => !Object.hasOwn(UNTRIED, each.split(":")[0] ?? ""))).toEqual([]);
  }, MINUTE);

  test("half the CPU is half the share", async () => {
    const shares: Record<string, string | undefined> = {};
    for (const cpu of ["0.5", "1"]) {
      const name = `share-${cpu.replace(".", "-")}`;
      await write(name, { ...(await goldenTexts("emulator")), vm: { name: "vm", text: VM.replace("CPU_HERE", cpu) } });
      await on("hosta", `virsh -c qemu:///system create --paused ${folder}/${fileOf(name)}`);
      const { stdout } = await on("hosta", `virsh -c qemu:///system schedinfo ${domainOf(name)}`);
      await on("hosta", `virsh -c qemu:///system destroy ${domainOf(name)}`);
      shares[cpu] = /cpu_shares\s*:\s*(\d+)/.exec(stdout)?.[1];
    }
    expect(shares).toEqual({ "0.5": "512", "1": "1024" });
  }, MINUTE);
});

const VM = `<VM><ID>9</ID><NAME>share</NAME><STIME>1</STIME><TEMPLATE><CPU><![CDATA[CPU_HERE]]></CPU><MEMORY>64</MEMORY><OS><MACHINE>q35</MACHINE></OS></TEMPLATE>
  <HISTORY_RECORDS><HISTORY><SEQ>0</SEQ><DS_ID>0</DS_ID></HISTORY></HISTORY_RECORDS></VM>`;

/** Upstream's own document was refused, and ours is the same. */
function isRefused({ libvirt, diverge }: { readonly libvirt?: string; readonly diverge?: string }): boolean {
  return libvirt !== undefined && diverge === undefined;
}

/** Writes a case as this host can run it: without KVM, with Debian's names of QEMU, under a name of its own. */
async function write(name: string, texts: DomainTexts): Promise<string> {
  const { xml } = generateDomain(await domainInput({ ...texts, emulator: "qemu" }));
  const program = xml.includes("arch='aarch64'") ? "qemu-system-aarch64" : "qemu-system-x86_64";
  const text = xml.replace(/<emulator>.*?<\/emulator>/, `<emulator>/usr/bin/${program}</emulator>`).replace(/<name>.*?<\/name>/, `<name>${domainOf(name)}</name>`).replace(/\t<uuid>.*?<\/uuid>\n/, "");
  writeFileSync(`${folder}/${fileOf(name)}`, text, { mode: 0o644 });
  return name;
}

function fileOf(name: string): string {
  return `${name.replace(" ", "_")}.xml`;
}

function domainOf(name: string): string {
  return `onevirt-test-${name.replace(" ", "_")}`;
}
