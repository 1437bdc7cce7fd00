import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { DATASTORE, lab, on, REMOTE, rootOn, syncedTree, until } from "../support/lab.ts";

const MINUTE = 60_000;
const DIRECTORY = `${DATASTORE}/140`;
let tree = "";
let vm = "";

/** What oned sends when the driver's TYPE is "xml": the VM itself, on one line. */
function vmDocument({ kernel, initrd }: { readonly kernel: string; readonly initrd: string }): string {
  return `<VM><ID>140</ID><UID>0</UID><GID>0</GID><UNAME>oneadmin</UNAME><GNAME>oneadmin</GNAME><NAME>web &amp; mail "1"</NAME><STIME>1700000000</STIME><TEMPLATE>
    <CPU><![CDATA[0.5]]></CPU><VCPU><![CDATA[1]]></VCPU><MEMORY><![CDATA[192]]></MEMORY>
    <OS><ARCH><![CDATA[x86_64]]></ARCH><MACHINE><![CDATA[q35]]></MACHINE><KERNEL><![CDATA[${kernel}]]></KERNEL><INITRD><![CDATA[${initrd}]]></INITRD><KERNEL_CMD><![CDATA[console=ttyS0 quiet panic=-1 no_timer_check]]></KERNEL_CMD></OS>
    <FEATURES><GUEST_AGENT><![CDATA[yes]]></GUEST_AGENT><ACPI><![CDATA[yes]]></ACPI></FEATURES>
    <DISK><DISK_ID>0</DISK_ID><TYPE>FILE</TYPE><DRIVER>qcow2</DRIVER><TARGET>vda</TARGET><DEV_PREFIX>vd</DEV_PREFIX><TM_MAD>ssh</TM_MAD><READONLY>NO</READONLY></DISK>
    <NIC><NIC_ID>0</NIC_ID><BRIDGE>onebr0</BRIDGE><BRIDGE_TYPE>linux</BRIDGE_TYPE><MAC>02:00:0a:00:00:8c</MAC><MODEL>virtio</MODEL><TARGET>one-140-0</TARGET></NIC>
    <TEMPLATE_ID>0</TEMPLATE_ID></TEMPLATE><HISTORY_RECORDS><HISTORY><SEQ>0</SEQ><HID>0</HID><CID>0</CID><DS_ID>0</DS_ID><VM_MAD>qemu</VM_MAD><TM_MAD>ssh</TM_MAD></HISTORY></HISTORY_RECORDS></VM>`;
}

beforeAll(async () => {
  tree = await syncedTree(["hosta"]);
  await lab("domain", "one-140", "--vm-dir", DIRECTORY); // makes the disk
  const status = JSON.parse(await lab("status", "--json")) as { readonly guest: { readonly kernel: string; readonly initrd: string } };
  vm = vmDocument(status.guest);
}, MINUTE);
afterAll(async () => {
  await rootOn("hosta", "timeout 30 virsh -c qemu:///system destroy one-140 >/dev/null 2>&1; true");
  rmSync(DIRECTORY, { recursive: true, force: true });
  rmSync(tree, { recursive: true, force: true });
}, MINUTE);

describe("deploy of a VM document", () => {
  test("generates the domain on the host, and its Linux guest boots and answers its agent", async () => {
    const { exitCode, stdout } = await on("hosta", `${REMOTE}/deploy ${DIRECTORY}/deployment.0 hosta 140 hosta`, vm);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^[0-9a-f-]{36}\n$/) });
    await until("its agent answers", async () => (await on("hosta", `virsh -c qemu:///system qemu-agent-command one-140 '{"execute":"guest-ping"}'`)).exitCode === 0);
  }, MINUTE);

  test("gives a VM with CPU=1 twice the share of one with CPU=0.5, as the kernel has it", async () => {
    const whole = vm.replaceAll("140", "142").replace("<![CDATA[0.5]]>", "<![CDATA[1]]>").replace("02:00:0a:00:00:8c", "02:00:0a:00:00:8e");
    await lab("domain", "one-142", "--vm-dir", `${DATASTORE}/142`);
    try {
      expect(await on("hosta", `${REMOTE}/deploy ${DATASTORE}/142/deployment.0 hosta 142 hosta`, whole)).toMatchObject({ exitCode: 0 });
      const shares = async (name: string) => /cpu_shares\s*:\s*(\d+)/.exec((await on("hosta", `virsh -c qemu:///system schedinfo ${name}`)).stdout)?.[1];
      expect([await shares("one-140"), await shares("one-142")]).toEqual(["512", "1024"]);
    } finally {
      await on("hosta", `${REMOTE}/cancel one-142 hosta 142 hosta`);
      rmSync(`${DATASTORE}/142`, { recursive: true, force: true });
    }
  }, MINUTE);

  test("keeps the generated document, which says no more and no less than the VM", async () => {
    const { stdout } = await on("hosta", `cat ${DIRECTORY}/deployment.0`);
    expect(stdout).toContain('<title>web &amp; mail "1"</title>');
    expect(stdout).toMatch(/^<domain type='qemu'/);
  }, MINUTE);

  test("shuts it down like any other", async () => {
    expect(await on("hosta", `${REMOTE}/shutdown one-140 hosta 140 hosta`)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  }, MINUTE);

  test("refuses a VM document that is cut, and leaves nothing", async () => {
    const { exitCode, stdout, stderr } = await on("hosta", `${REMOTE}/deploy ${DATASTORE}/141/deployment.0 hosta 141 hosta; code=$?; ls ${DATASTORE}/141 2>/dev/null; exit $code`, vm.slice(0, 400));
    expect({ exitCode, stdout, lines: stderr.trim().split("\n").length }).toEqual({ exitCode: 1, stdout: "", lines: 1 });
  }, MINUTE);
});
