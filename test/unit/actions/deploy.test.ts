import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { run } from "../../../src/actions/deploy.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { given, type World } from "../../fakes/world.ts";
import { DIRECTORY, documentOf, FILE, KEPT_TPM, OTHER_UUID, PLAIN_DIRECTORY, tar, TPM, UUID, VGPU, VM_XML_WITH_VGPU } from "./document.ts";

const STATE = `${PLAIN_DIRECTORY}/tpm/tpm2-00.permall`;
const STORED = `${PLAIN_DIRECTORY}/deployment.0`;

const deploy = (world: World, stdin = documentOf(), file = FILE) => run({ arguments: { "deployment-file": file, host: "h", vmid: "7" }, stdin }, world);

/** Code and sentence of what an action throws; "done" and its answer when it does not. */
async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then((answer) => ({ answer }), (error: unknown) => (error instanceof OnevirtError ? [error.code, error.message] : error));
}

describe("deploy", () => {
  test("deploy keeps the document beside the disks, starts it and answers with the UUID", async () => {
    using world = given();
    const answer = await deploy(world);
    expect([answer, world.hypervisor.created, world.files.texts(), world.files.modeOf(STORED), world.locks.calls]).toEqual([UUID, [documentOf()], { [STORED]: documentOf() }, 0o660, [`lock ${UUID} for deploy`, `unlock ${UUID}`]]);
  });

  test("deploy answers with the name to an oned before 6.0", async () => {
    using world = given({ version: "5.6.0" });
    expect(await deploy(world)).toBe("one-7");
  });

  test("deploy reads base64, as when the action runs on the front-end", async () => {
    using world = given();
    await deploy(world, Buffer.from(documentOf()).toString("base64"));
    expect(world.hypervisor.created).toEqual([documentOf()]);
  });

  const bad: [string, string, string, string][] = [
    ["nothing on stdin", "", FILE, "BAD_INPUT"],
    ["truncated XML", documentOf().slice(0, 200), FILE, "BAD_INPUT"],
    ["XML that is no domain", "<vm/>", FILE, "BAD_INPUT"],
    ["a domain without a name", "<domain><uuid/></domain>", FILE, "BAD_INPUT"],
    ["base64 of garbage", Buffer.from("garbage").toString("base64"), FILE, "BAD_INPUT"],
    ["a name with shell characters", documentOf({ name: "one-7;reboot" }), FILE, "BAD_INPUT"],
    ["a name that leads elsewhere", documentOf({ name: "../../x" }), FILE, "BAD_INPUT"],
    ["a document type", `<!DOCTYPE domain [<!ENTITY x "y">]>${documentOf()}`, FILE, "BAD_INPUT"],
    ["no path", documentOf(), "", "BAD_ARGUMENT"],
    ["a relative path", documentOf(), "deployment.0", "BAD_ARGUMENT"],
    ["a path with ..", documentOf(), "/var/lib/one/../x/deployment.0", "BAD_ARGUMENT"],
    ["a path with a line end", documentOf(), "/var/lib/one/\nERROR: x/deployment.0", "BAD_ARGUMENT"],
  ];
  test.each(bad)("deploy refuses %s, and leaves no file and no domain", async (_what, stdin, file, code) => {
    using world = given();
    const outcome = await outcomeOf(deploy(world, stdin, file));
    expect([(outcome as string[])[0], world.files.calls, world.hypervisor.calls, world.locks.calls]).toEqual([code, [], [], []]);
  });

  test("deploy leaves no domain when the directory cannot be written", async () => {
    using world = given();
    world.files.freeze("/var/lib/one");
    expect([await outcomeOf(deploy(world)), world.hypervisor.created]).toEqual([["FILE_FAILED", `Cannot write "${FILE}": the file system is read-only`], []]);
  });

  test("deploy waits for an action in progress, and names it when it does not end", async () => {
    using world = given({ limitSeconds: 5 });
    world.locks.hold(UUID, "one-7", "cancel");
    expect([await outcomeOf(deploy(world)), world.hypervisor.calls]).toEqual([["BUSY", 'Cannot lock "one-7": "cancel" is in progress'], []]);
  });

  test("deploy compacts the memory first, when that was asked for, and goes on when it fails", async () => {
    using world = given({ kvmrc: { CLEANUP_MEMORY_ON_START: true } });
    world.root.fails("compactMemory");
    expect([await deploy(world), world.root.calls, world.log.lines.length]).toEqual([UUID, ["compactMemory"], 1]);
  });
});

describe("deploy of a VM that is there already", () => {
  const running = (more = {}) => ({ name: "one-7", uuid: UUID, xml: documentOf(), ...more });

  test("deploy gives the answer that was lost when the very same domain runs", async () => {
    using world = given({ domains: [running()] });
    expect([await deploy(world), world.hypervisor.created, world.files.calls]).toEqual([UUID, [], []]);
  });

  test("deploy takes the two spellings of the directory for one", async () => {
    using world = given({ domains: [running({ xml: documentOf({ datastore: PLAIN_DIRECTORY }) })] });
    expect(await deploy(world)).toBe(UUID);
  });

  const strangers: [string, object, string][] = [
    ["another UUID", { uuid: OTHER_UUID }, `a domain "one-7" with UUID ${OTHER_UUID} is running on this host already`],
    ["another name", { name: "wild" }, `a domain "wild" with UUID ${UUID} is running on this host already`],
    ["another directory", { xml: documentOf({ datastore: "/var/lib/one/datastores/100/7" }) }, `a domain "one-7" with UUID ${UUID} is running on this host already`],
    ["no metadata", { xml: `<domain><name>one-7</name></domain>` }, `a domain "one-7" with UUID ${UUID} is running on this host already`],
    ["a crash behind it", { state: "crashed" }, `a domain "one-7" with UUID ${UUID} is crashed on this host already`],
  ];
  test.each(strangers)("deploy refuses a domain in its place that has %s, and touches nothing", async (_what, more, message) => {
    using world = given({ domains: [running(more)] });
    expect([await outcomeOf(deploy(world)), world.files.calls]).toEqual([["DOMAIN_EXISTS", message], []]);
  });

  test("deploy does not give an answer for a domain that libvirt is still starting", async () => {
    using world = given({ domains: [running({ state: "paused", reason: 11 })] });
    expect(await outcomeOf(deploy(world))).toEqual(["OUTCOME_UNKNOWN", 'an earlier request to start "one-7" is still in progress']);
  });

  test("deploy replaces a persistent domain that is off", async () => {
    using world = given({ domains: [running({ state: "shutoff", persistent: true })] });
    expect(await deploy(world)).toBe(UUID);
  });

  test("deploy refuses when a process without a domain still runs, whoever tells of it", async () => {
    using byUuid = given();
    byUuid.processes.put(UUID);
    using byName = given();
    byName.processes.pidFiles.set("one-7", 77);
    const clause = (pid: number, where: string) => ["LIBVIRT_UNREACHABLE", `cannot tell whether "one-7" runs already: libvirt has no such domain, but process ${pid} still runs (${where})`];
    expect([await outcomeOf(deploy(byUuid)), await outcomeOf(deploy(byName)), byUuid.files.calls]).toEqual([clause(4711, "/proc"), clause(77, "pid file"), []]);
  });

  test("17.1 row 1: deploy refuses when libvirt cannot be asked", async () => {
    using world = given();
    world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE");
    expect([await outcomeOf(deploy(world)), world.files.calls]).toEqual([["LIBVIRT_UNREACHABLE", 'cannot tell whether "one-7" runs already: libvirt cannot be asked (Cannot find: scripted LIBVIRT_UNREACHABLE)'], []]);
  });
});

describe("deploy whose call is abandoned", () => {
  test("deploy that happened before the answer was lost is done, although its time is over", async () => {
    using world = given({ limitSeconds: 10 });
    world.hypervisor.hangs("create", "at once");
    expect([await deploy(world), world.clock.monotonicMs()]).toEqual([UUID, 10_000]);
  });

  test("deploy that happens late is outcome unknown, and the next call finds the domain", async () => {
    using world = given({ limitSeconds: 10 });
    world.hypervisor.hangs("create", { afterMs: 60_000 });
    const first = await outcomeOf(deploy(world));
    world.clock.pass(60_000);
    await Promise.resolve();
    using later = given({ domains: [{ name: "one-7", uuid: UUID, xml: world.hypervisor.created[0] as string }] });
    expect([(first as string[])[0], await deploy(later)]).toEqual(["OUTCOME_UNKNOWN", UUID]);
  });

  test("deploy that libvirt is still busy with is outcome unknown", async () => {
    using world = given();
    world.hypervisor.next("create", async (proceed) => {
      await proceed();
      world.hypervisor.become(UUID, "paused", 11);
      throw new OnevirtError("TIMED_OUT", "Cannot create the domain: no answer");
    });
    expect(await outcomeOf(deploy(world))).toEqual(["OUTCOME_UNKNOWN", 'Outcome unknown: create domain "one-7": Cannot create the domain: no answer; now libvirt is still starting it']);
  });

  test("deploy whose libvirtd dies is not done because of a process alone: libvirtd may end it when it is back", async () => {
    using world = given();
    world.hypervisor.next("create", async () => {
      world.processes.put(UUID);
      world.hypervisor.fails("find", "LIBVIRT_UNREACHABLE");
      throw new OnevirtError("CONNECTION_LOST", "Cannot create the domain: the connection was lost");
    });
    expect(((await outcomeOf(deploy(world))) as string[])[0]).toBe("OUTCOME_UNKNOWN");
  });

  test("deploy whose connection breaks is outcome unknown while nothing is seen: a daemon that dropped only us may still start it", async () => {
    using world = given();
    world.hypervisor.breaks("create", { done: false });
    expect(await outcomeOf(deploy(world))).toEqual(["OUTCOME_UNKNOWN", expect.stringContaining("now libvirt has no such domain, and no process has its UUID")]);
  });
});

describe("deploy and its disks", () => {
  const disk = (file: string, more = "type='file' device='disk'") => `<disk ${more}><source file='${file}'/><target dev='vda'/></disk>`;
  const sourcesOf = (world: World) => [...(world.hypervisor.created[0] as string).matchAll(/<source file='([^']*)'/g)].map(([, file]) => file);

  test("deploy replaces links of disks by what they lead to, one level, and keeps all others", async () => {
    const files = {
      [`${DIRECTORY}/disk.0`]: { link: "disk.0.snap/0" }, [`${DIRECTORY}/disk.0.snap/0`]: "data",
      [`${DIRECTORY}/disk.1`]: { link: "/images/1" }, "/images/1": { link: "/images/2" },
      [`${DIRECTORY}/disk.2`]: { link: "/nowhere" }, [`${DIRECTORY}/disk.3`]: "data",
      [`${DIRECTORY}/disk.4`]: { link: "/images/1" }, [`${DIRECTORY}/other`]: { link: "/images/1" },
    };
    using world = given({ files });
    const devices = [0, 1, 2, 3].map((id) => disk(`${DIRECTORY}/disk.${id}`)).join("") + disk(`${DIRECTORY}/disk.4`, "type='file' device='cdrom'") + disk(`${DIRECTORY}/other`);
    await deploy(world, documentOf({ devices }));
    // A CD-ROM keeps its link unless a disk names the same file.
    expect(sourcesOf(world)).toEqual([`${PLAIN_DIRECTORY}/disk.0.snap/0`, "/images/1", `${DIRECTORY}/disk.2`, `${DIRECTORY}/disk.3`, `${DIRECTORY}/disk.4`, `${DIRECTORY}/other`]);
  });

  test("deploy writes a link target with XML characters as text", async () => {
    using world = given({ files: { [`${DIRECTORY}/disk.0`]: { link: "/i/a'b&c<d" }, "/i/a'b&c<d": "data" } });
    await deploy(world, documentOf({ devices: disk(`${DIRECTORY}/disk.0`) }));
    expect(sourcesOf(world)).toEqual(["/i/a&apos;b&amp;c&lt;d"]);
  });
});

describe("deploy and UEFI variables", () => {
  const OVMF = "/usr/share/OVMF/OVMF_VARS.fd";
  const store = (path: string, format = "") => documentOf({ os: `<nvram${format}>${path}</nvram>` });
  const INFO = `qemu-img info -U --output=json ${OVMF}`;

  test("17.1 row 12: deploy never touches a store that exists, whatever its format", async () => {
    using world = given({ files: { [`${DIRECTORY}/vm_VARS.fd`]: "boot entries", [OVMF]: "template" }, kvmrc: { OVMF_NVRAM: OVMF } });
    await deploy(world, store(`${DIRECTORY}/vm_VARS.fd`, " format='qcow2'"));
    expect([world.files.findText(`${DIRECTORY}/vm_VARS.fd`), world.commands.calls]).toEqual(["boot entries", []]);
  });

  test("deploy copies the template when the formats agree", async () => {
    using world = given({ files: { [OVMF]: "template" }, kvmrc: { OVMF_NVRAM: OVMF } });
    world.commands.on(INFO, { stdout: '{"children": [{"name": "file", "info": {"format": "file"}}], "format": "raw"}' });
    await deploy(world, store(`${DIRECTORY}/vm_VARS.fd`));
    expect([world.files.findText(`${DIRECTORY}/vm_VARS.fd`), world.commands.calls]).toEqual(["template", [INFO]]);
  });

  test("17.1 row 12: deploy converts the template once, under another name first", async () => {
    using world = given({ files: { [OVMF]: "template" }, kvmrc: { OVMF_NVRAM: OVMF } });
    const temporary = `${DIRECTORY}/vm_VARS.fd.new`;
    world.commands.on(INFO, { stdout: '{"format": "raw"}' }).on(`qemu-img convert -O qcow2 ${OVMF} ${temporary}`, () => {
      world.files.put(temporary, "converted");
      return {};
    });
    await deploy(world, store(`${DIRECTORY}/vm_VARS.fd`, " format='qcow2'"));
    expect([world.files.findText(`${DIRECTORY}/vm_VARS.fd`), world.files.kind(temporary)]).toEqual(["converted", undefined]);
  });

  test("deploy leaves nothing of a conversion that failed, and no domain", async () => {
    using world = given({ files: { [OVMF]: "template" }, kvmrc: { OVMF_NVRAM: OVMF } });
    const temporary = `${DIRECTORY}/vm_VARS.fd.new`;
    world.commands.on(INFO, { stdout: '{"format": "raw"}' }).on(`qemu-img convert -O qcow2 ${OVMF} ${temporary}`, () => {
      world.files.put(temporary, "half");
      return { exitCode: 1, stderr: "qemu-img: error\nno space\n" };
    });
    const outcome = await outcomeOf(deploy(world, store(`${DIRECTORY}/vm_VARS.fd`, " format='qcow2'")));
    expect([outcome, world.files.kind(temporary), world.hypervisor.created]).toEqual([["COMMAND_FAILED", `qemu-img cannot make ${DIRECTORY}/vm_VARS.fd: no space`], undefined, []]);
  });

  const refused: [string, string, Record<string, string>, string, string][] = [
    ["a store outside the directory of the VM", "/var/lib/one/datastores/0/8/x_VARS.fd", { [OVMF]: "t" }, OVMF, "BAD_INPUT"],
    ["the store of another VM, reached by the name of this one", `${DIRECTORY}/../8/x_VARS.fd`, { [OVMF]: "t", "/var/lib/one/datastores/0/8/x_VARS.fd": "theirs" }, OVMF, "BAD_INPUT"],
    ["an unset template", `${DIRECTORY}/x_VARS.fd`, {}, "", "BAD_CONFIG"],
    ["a template that does not exist", `${DIRECTORY}/x_VARS.fd`, {}, OVMF, "BAD_CONFIG"],
    ["a template that qemu-img does not understand", `${DIRECTORY}/x_VARS.fd`, { [OVMF]: "t" }, OVMF, "COMMAND_FAILED"],
  ];
  test.each(refused)("deploy refuses %s", async (_what, path, files, template, code) => {
    using world = given({ files, kvmrc: { OVMF_NVRAM: template } });
    world.commands.on(INFO, { stdout: "no JSON" });
    const outcome = (await outcomeOf(deploy(world, store(path)))) as string[];
    expect([outcome[0], world.hypervisor.created, code === "BAD_INPUT" ? world.files.calls : []]).toEqual([code, [], []]);
  });

  test("deploy uses a store elsewhere that an administrator has put there", async () => {
    using world = given({ files: { "/var/lib/libvirt/qemu/nvram/x.fd": "kept" } });
    expect(await deploy(world, store("/var/lib/libvirt/qemu/nvram/x.fd"))).toBe(UUID);
  });
});

describe("deploy and the TPM", () => {
  const vmXml = (archive: Uint8Array) => `<VM><USER_TEMPLATE><TPM_STATE><![CDATA[${gzipSync(archive).toString("base64")}]]></TPM_STATE></USER_TEMPLATE></VM>`;

  test("17.1 row 5: deploy takes one file of TPM_STATE: an archive with deployment.0 cannot replace the document", async () => {
    const archive = tar({ "deployment.0": "<domain>evil</domain>", "vm.xml": "evil", "../8/disk.0": "evil", "/etc/passwd": "evil", "tpm/tpm2-00.permall": "state", "tpm/other": "evil" });
    using world = given({ files: { [`${DIRECTORY}/vm.xml`]: vmXml(archive) } });
    await deploy(world, documentOf({ devices: TPM }));
    const started = documentOf({ devices: KEPT_TPM });
    expect([world.hypervisor.created, world.files.texts(), world.files.modeOf(STATE), world.root.calls]).toEqual([
      [started], { [`${PLAIN_DIRECTORY}/vm.xml`]: vmXml(archive), [STORED]: started, [STATE]: "state" }, 0o600, [`tpm recover ${UUID} ${DIRECTORY}`],
    ]);
  });

  test("17.1 row 5: deploy does not even look at TPM_STATE when the domain has no TPM", async () => {
    using world = given({ files: { [`${DIRECTORY}/vm.xml`]: vmXml(tar({ "tpm/tpm2-00.permall": "state" })) } });
    await deploy(world);
    expect([world.files.kind(STATE), world.root.calls]).toEqual([undefined, []]);
  });

  test("deploy prefers the state that the VM left behind to that of its template", async () => {
    using world = given({ files: { [STATE]: "mine", [`${DIRECTORY}/vm.xml`]: vmXml(tar({ "tpm/tpm2-00.permall": "template" })) } });
    await deploy(world, documentOf({ devices: TPM }));
    expect([world.files.findText(STATE), world.root.calls]).toEqual(["mine", [`tpm recover ${UUID} ${DIRECTORY}`]]);
  });

  test("deploy of a new VM with a TPM has nothing to recover", async () => {
    using world = given({ files: { [`${DIRECTORY}/vm.xml`]: "<VM/>" } });
    expect([await deploy(world, documentOf({ devices: TPM })), world.root.calls]).toEqual([UUID, []]);
  });

  test("deploy does not start a VM whose TPM state could not be put in place", async () => {
    using world = given({ files: { [STATE]: "mine" } });
    world.root.fails("tpm recover");
    expect([((await outcomeOf(deploy(world, documentOf({ devices: TPM })))) as string[])[0], world.hypervisor.created]).toEqual(["COMMAND_FAILED", []]);
  });
});

describe("deploy and vGPUs", () => {
  const files = { [`${DIRECTORY}/vm.xml`]: VM_XML_WITH_VGPU };
  const path = `${PLAIN_DIRECTORY}/vm.xml`;
  const stdin = documentOf({ devices: VGPU });

  test("deploy makes the vGPUs of the VM, and keeps them when it runs", async () => {
    using world = given({ files });
    await deploy(world, stdin);
    expect(world.root.calls).toEqual([`vgpu create ${path}`]);
  });

  test("deploy takes the vGPUs back when the domain does not start", async () => {
    using world = given({ files });
    world.hypervisor.fails("create", "LIBVIRT_FAILED");
    expect([await outcomeOf(deploy(world, stdin)), world.root.calls]).toEqual([["LIBVIRT_FAILED", "Cannot create: scripted LIBVIRT_FAILED"], [`vgpu create ${path}`, `vgpu delete ${path}`]]);
  });

  test("deploy takes back what was made when a vGPU cannot be made", async () => {
    using world = given({ files });
    world.root.fails("vgpu create");
    expect([((await outcomeOf(deploy(world, stdin))) as string[])[0], world.root.calls, world.hypervisor.created]).toEqual(["COMMAND_FAILED", [`vgpu create ${path}`, `vgpu delete ${path}`], []]);
  });

  test("deploy leaves the vGPUs alone when the domain may still start", async () => {
    using world = given({ files });
    world.hypervisor.hangs("create");
    expect([((await outcomeOf(deploy(world, stdin))) as string[])[0], world.root.calls]).toEqual(["OUTCOME_UNKNOWN", [`vgpu create ${path}`]]);
  });

  test("deploy asks root for nothing when no PCI device has a UUID", async () => {
    using world = given({ files: { [path]: "<VM><TEMPLATE><PCI><UUID></UUID></PCI></TEMPLATE></VM>" } });
    await deploy(world, stdin);
    expect(world.root.calls).toEqual([]);
  });
});

describe("deploy and snapshots", () => {
  const snapshot = (uuid: string, name: string) => `<domainsnapshot><name>${name}</name><domain><uuid>${uuid}</uuid><name>one-7</name></domain></domainsnapshot>`;

  test("deploy makes snapshots known again by number, parents first, with the UUID of this run and readable for nobody else", async () => {
    const files = Object.fromEntries([10, 9, 0].map((id) => [`${DIRECTORY}/snap-${id}.xml`, snapshot(OTHER_UUID, `snap-${id}`)]));
    using world = given({ files: { ...files, [`${DIRECTORY}/snap-x.xml`]: "no", [`${DIRECTORY}/snap-1.xml.bak`]: "no" } });
    await deploy(world);
    expect([world.hypervisor.redefined.map(({ xml }) => xml), world.files.findText(`${DIRECTORY}/snap-9.xml`), world.files.modeOf(`${DIRECTORY}/snap-9.xml`)]).toEqual([[0, 9, 10].map((id) => snapshot(UUID, `snap-${id}`)), snapshot(UUID, "snap-9"), 0o600]);
  });

  test("deploy makes snapshots known again with the paths of the datastore that the VM is in now", async () => {
    const at = (datastore: number) => `<domainsnapshot><name>snap-0</name><domain><uuid>${UUID}</uuid><source file='/var/lib/one//datastores/${datastore}/7/disk.0'/><source file='/var/lib/one/datastores/100/8/disk.0'/></domain></domainsnapshot>`;
    using world = given({ files: { [`${DIRECTORY}/snap-0.xml`]: at(100) } });
    await deploy(world);
    expect([world.hypervisor.redefined.map(({ xml }) => xml), world.files.findText(`${DIRECTORY}/snap-0.xml`)]).toEqual([[at(0)], at(0)]);
  });

  test("17.1 row 10: deploy lets libvirt start virtiofsd through the script of root, in the VM and in its snapshots", async () => {
    const shared = (path: string) => `<devices><filesystem type='mount'><binary path='${path}' xattr='on'/></filesystem></devices>`;
    const [tree, root] = ["/var/tmp/one/vmm/kvm/virtiofsd.sh", "/usr/lib/onevirt/virtiofsd.sh"].map(shared) as [string, string];
    const kept = (devices: string) => `<domainsnapshot><name>snap-0</name><domain>${devices}</domain></domainsnapshot>`;
    using world = given({ files: { "/usr/lib/onevirt/virtiofsd.sh": "#!/bin/sh", [`${DIRECTORY}/snap-0.xml`]: kept(tree) } });
    await deploy(world, documentOf().replace("<devices></devices>", tree));
    expect([await world.hypervisor.domainXml(UUID, {}, world.deadline), world.hypervisor.redefined.map(({ xml }) => xml)]).toEqual([documentOf().replace("<devices></devices>", root), [kept(root)]]);
  });

  test("deploy makes snapshots known again also when the start took all the time there was", async () => {
    using world = given({ files: { [`${DIRECTORY}/snap-0.xml`]: snapshot(UUID, "snap-0") } });
    world.hypervisor.hangs("create", "at once");
    expect([await deploy(world), world.hypervisor.redefined.length]).toEqual([UUID, 1]);
  });

  test("deploy goes on when libvirt refuses a snapshot, and names it", async () => {
    using world = given({ files: { [`${DIRECTORY}/snap-0.xml`]: "<bad/>", [`${DIRECTORY}/snap-1.xml`]: snapshot(UUID, "snap-1") } });
    world.hypervisor.fails("snapshots.redefine", "LIBVIRT_FAILED");
    expect([await deploy(world), world.hypervisor.redefined.length, world.log.lines]).toEqual([UUID, 1, ['WARN: Snapshot snap-0.xml of "one-7" was not redefined: Cannot snapshots.redefine: scripted LIBVIRT_FAILED']]);
  });
});
