import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { requestLine } from "../fixtures/driver-message.ts";
import type { MessageParts } from "../fixtures/driver-message.ts";
import { DriverProcess } from "../fixtures/driver-process.ts";
import { DriverWorld } from "../fixtures/driver-world.ts";
import { on, rootOn } from "../support/lab.ts";
import type { Host } from "../support/lab.ts";

// From deploy to terminate through the driver, over real ssh, on both hosts of the lab (`scripts/lab up`), with 50 VMs in flight.
// The hosts begin without scripts: the driver's own copy brings them.

const TOP = join(import.meta.dir, "..", "..");
const MINUTE = 60_000;
const FIRST = 7001;
const VMS = 50;
const SSH_CONFIG = "/var/lib/one/.ssh/config";
const DATASTORE = "/var/lib/one//datastores/0";

/** Both hosts see the directories of the VMs, and a guest that has halted hears no button. */
const KVMRC = "export LIBVIRT_URI=qemu:///system\nQEMU_PROTOCOL=qemu+tcp\nMIGRATE_OPTIONS=--unsafe\nSHUTDOWN_TIMEOUT=2\nFORCE_DESTROY=yes\n";
const SHARED = `<DATASTORE><ID>0</ID><BASE_PATH>${DATASTORE}</BASE_PATH><TEMPLATE><SHARED><![CDATA[YES]]></SHARED></TEMPLATE></DATASTORE>`;
/** A boot sector that halts: no CPU, 16 MiB. */
const HALTED = Buffer.concat([Buffer.from([0xfa, 0xf4, 0xeb, 0xfd]), Buffer.alloc(506), Buffer.from([0x55, 0xaa]), Buffer.alloc((1 << 20) - 512)]);

describe("the driver on two hosts", () => {
  let world: DriverWorld;
  let driver: DriverProcess;
  let hostTree: string;

  beforeAll(async () => {
    world = new DriverWorld();
    chmodSync(world.root, 0o755);
    // Each host has its own of this directory, and no sync of another test reaches it.
    hostTree = `/var/cache/libvirt/onevirt-driver-${process.pid}`;
    for (const host of ["hosta", "hostb"] as const) await rootOn(host, `install -d -o oneadmin -g oneadmin ${hostTree}`);
    world.write("var/config", `SCRIPTS_REMOTE_DIR=${hostTree}\n`);
    cpSync(join(TOP, "dist/remotes"), world.remotes, { recursive: true });
    if (!existsSync(join(world.remotes, "onevirt"))) throw new Error("dist/remotes has no executable: run npm run build");
    world.write("var/remotes/VERSION", "7.4.0\n");
    world.write("var/remotes/etc/vmm/kvm/kvmrc", KVMRC);
    world.write("var/remotes/onevirt/onevirt.conf", `LOCK_DIRECTORY=${hostTree}/locks\nSTATE_DIRECTORY=${hostTree}/state\n`);
    for (const name of ["pre", "post", "clean"]) world.script(`vnm/dummy/${name}`, { onHosts: false });
    for (const name of ["pre", "post", "clean"]) world.write(`var/remotes/vnm/dummy/${name}`, "#!/bin/sh\nread -r document && [ -n \"$document\" ]\n", 0o755);
    for (const name of ["premigrate", "postmigrate", "failmigrate", "delete"]) world.write(`var/remotes/tm/live/${name}`, "#!/bin/sh\nexit 0\n", 0o755);
    for (const program of ["ssh", "scp"]) world.write(`bin/${program}`, `#!/bin/sh\nexec /usr/bin/${program} -F ${SSH_CONFIG} "$@"\n`, 0o755);
    for (let id = FIRST; id < FIRST + VMS; id += 1) makeDisk(id);
    driver = new DriverProcess(world, ["-t 15 -r 0 kvm -p"]);
    driver.send("INIT\n");
  }, MINUTE);

  afterAll(async () => {
    const names = Array.from({ length: VMS }, (_, at) => `one-${FIRST + at}`).join(" ");
    for (const host of ["hosta", "hostb"] as const) await rootOn(host, `for name in ${names}; do virsh -c qemu:///system destroy $name; done >/dev/null 2>&1; rm -rf ${hostTree}`);
    for (let id = FIRST; id < FIRST + VMS; id += 1) rmSync(`${DATASTORE}/${id}`, { recursive: true, force: true });
    driver.kill();
    await driver.exited;
    world[Symbol.dispose]();
  }, MINUTE);

  const partsOf = (id: number, more: MessageParts = {}): MessageParts => ({
    host: hostOf(id), deployId: uuidOf(id), template: "<NIC><VN_MAD><![CDATA[dummy]]></VN_MAD></NIC>", ...more,
  });

  /** One action for every VM, or one of two, all at once; the results that are no success. */
  async function all(action: string | ((id: number) => string), parts: (id: number) => MessageParts): Promise<readonly string[]> {
    const before = driver.results().length;
    const ids = Array.from({ length: VMS }, (_, at) => FIRST + at);
    const actionOf = typeof action === "string" ? () => action : action;
    driver.send(ids.map((id) => requestLine(actionOf(id), id, parts(id))).join(""));
    const results = (await driver.waitForResults(before + VMS, 240)).slice(before);
    expect(results.map((line) => Number(line.split(" ")[2])).toSorted()).toEqual(ids);
    return results.filter((line) => !line.startsWith(`${actionOf(Number(line.split(" ")[2]))} SUCCESS`));
  }

  async function running(host: Host): Promise<number> {
    const { stdout } = await on(host, "virsh -q -c qemu:///system list --name --state-running");
    return stdout.split("\n").map((name) => Number(name.slice(4))).filter((id) => id >= FIRST && id < FIRST + VMS).length;
  }

  test("deploys 50 at once and brings the scripts to both hosts first", async () => {
    const failed = await all("DEPLOY", (id) => {
      world.write(`var/vms/${id}/deployment.0`, domainOf(id));
      return partsOf(id, { deployId: "", localFile: `${world.root}/var/vms/${id}/deployment.0`, remoteFile: `${DATASTORE}/${id}/deployment.0` });
    });
    expect(failed).toEqual([]);
    expect(driver.results()).toContain(`DEPLOY SUCCESS ${FIRST} ${uuidOf(FIRST)}`);
    expect([await running("hosta"), await running("hostb")]).toEqual([VMS / 2, VMS / 2]);
    expect(readFileSync(`${DATASTORE}/${FIRST}/vm.xml`, "utf8")).toStartWith("<VM><ID>");
  }, 5 * MINUTE);

  test("migrates 20 both ways, and reboots and resets the others, all at once", async () => {
    const failed = await all(actionInBetween, (id) => (isMoved(id) ? partsOf(id, { destination: otherHost(id), datastore: SHARED, command: `MIGRATE live ${hostOf(id)} ${otherHost(id)} ${DATASTORE}/${id} ${id} 0\n` }) : partsOf(id)));
    expect(failed).toEqual([]);
    expect([await running("hosta"), await running("hostb")]).toEqual([VMS / 2, VMS / 2]);
    const moved = Array.from({ length: VMS }, (_, at) => FIRST + at).find(isMoved) ?? 0;
    const { stdout } = await on(otherHost(moved), `virsh -q -c qemu:///system domstate one-${moved}`);
    expect(stdout.trim()).toBe("running");
  }, 5 * MINUTE);

  test("ends 50 at once where they are now, by force and by SHUTDOWN, and cleans up", async () => {
    expect(await all((id) => (id % 4 < 2 ? "CANCEL" : "SHUTDOWN"), (id) => partsOf(id, { host: nowOn(id) }))).toEqual([]);
    expect([await running("hosta"), await running("hostb")]).toEqual([0, 0]);
    expect(await all("CLEANUP", (id) => partsOf(id, { deployId: "", host: nowOn(id), command: `DELETE live ${nowOn(id)}:${DATASTORE}/${id} ${id} 0\n` }))).toEqual([]);
  }, 5 * MINUTE);

  test("a host that refuses and one that swallows packets fail in time", async () => {
    const before = driver.results().length;
    // A port nobody listens on, and an address of the lab's own network that nobody has.
    driver.send(requestLine("CANCEL", 1, { host: "127.0.0.2" }) + requestLine("CANCEL", 2, { host: "10.98.69.99" }));
    const results = (await driver.waitForResults(before + 2, 40)).slice(before);
    expect(results.every((line) => line.includes("FAILURE") && line.includes("Error connecting to"))).toBe(true);
  }, MINUTE);

  test("ends well and leaves nothing", async () => {
    expect(await driver.finish()).toBe(0);
  }, MINUTE);
});

function hostOf(id: number): Host {
  return id % 2 === 1 ? "hosta" : "hostb";
}

function otherHost(id: number): Host {
  return id % 2 === 1 ? "hostb" : "hosta";
}

/** Two of five, from each host as many. */
function isMoved(id: number): boolean {
  return id % 5 < 2;
}

function actionInBetween(id: number): string {
  return isMoved(id) ? "MIGRATE" : id % 5 === 2 ? "RESET" : "REBOOT";
}

function nowOn(id: number): Host {
  return isMoved(id) ? otherHost(id) : hostOf(id);
}

function uuidOf(id: number): string {
  return `0e01d5e7-0000-4000-8000-00000000${id}`;
}

function makeDisk(id: number): void {
  mkdirSync(`${DATASTORE}/${id}`, { recursive: true });
  writeFileSync(`${DATASTORE}/${id}/disk.0`, HALTED);
  Bun.spawnSync(["chown", "-R", "oneadmin:oneadmin", `${DATASTORE}/${id}`]);
}

function domainOf(id: number): string {
  return `<domain type='qemu'><name>one-${id}</name><uuid>${uuidOf(id)}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='${DATASTORE}/${id}/disk.0'/><target dev='vda' bus='virtio'/></disk></devices>
<metadata><one:vm xmlns:one="http://opennebula.org/xmlns/libvirt/1.0"><one:system_datastore><![CDATA[${DATASTORE}/${id}]]></one:system_datastore></one:vm></metadata></domain>
`;
}
