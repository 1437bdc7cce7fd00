import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { DATASTORE, Guest, type Host, type HostSettings, lab, on, REMOTE, rootOn, settingsOn, syncedTree, until, userMessage, withDrive } from "../support/lab.ts";
import { countOf, travel, withoutProgress, WRITER } from "../support/travel.ts";
import type { Result } from "../support/executable-tree.ts";

const MINUTE = 60_000;
const VMID = 4001;
const PROTOCOLS = ["qemu+ssh", "qemu+tcp"] as const;
const DONE = { exitCode: 0, stdout: "", stderr: "" };
const HOSTS = ["hosta", "hostb"] as const;
let tree = "";
let guest: Guest;
/** Where the guest runs when a test begins, and where it is to go. */
let [here, there]: readonly [Host, Host] = HOSTS;

/** The lab's file system is an ordinary one: libvirt does not know that both hosts see it. */
const settings = (options = "", { protocol = "qemu+ssh", conf = "" } = {}): HostSettings => ({ kvmrc: `QEMU_PROTOCOL=${protocol}\nMIGRATE_OPTIONS="--unsafe ${options}"\n`, conf });
const configure = (options = "", more: { readonly protocol?: string; readonly conf?: string } = {}) => settingsOn(HOSTS, settings(options, more));

const document = (shared: boolean) =>
  `<VMM_DRIVER_ACTION_DATA><DISK_TARGET_PATH>${guest.directory}</DISK_TARGET_PATH><VM><ID>${VMID}</ID><TEMPLATE/></VM><DATASTORE><BASE_PATH>${DATASTORE}</BASE_PATH><TEMPLATE><SHARED><![CDATA[${shared ? "YES" : "NO"}]]></SHARED></TEMPLATE></DATASTORE></VMM_DRIVER_ACTION_DATA>`;
const migrateTold = (from: Host, to: string, { shared = true } = {}): Promise<Result> => guest.call(from, "migrate", [guest.uuid, to, from, String(VMID), from], document(shared));
const migrate = async (from: Host, to: string, options: { readonly shared?: boolean } = {}): Promise<Result> => withoutProgress(await migrateTold(from, to, options));
const sides = async () => Object.fromEntries(await Promise.all(HOSTS.map(async (host) => [host, await guest.state(host)] as const)));
const onlyOn = (host: Host) => ({ hosta: "gone", hostb: "gone", [host]: "running" });
/** The VM runs once, and here; what a fault left on the other side, which libvirt there may not have ended yet, runs nothing. */
const expectOnceOn = async (host: Host) => {
  const now = await sides();
  expect({ [host]: now[host], running: Object.values(now).filter((state) => state === "running").length }).toEqual({ [host]: "running", running: 1 });
};

const count = (host: Host) => countOf(guest, host);
/** Changes memory faster than any limit that these tests set. */
const dirty = (host: Host) => guest.inside(host, "(while :; do dd if=/dev/urandom of=/run/dirt bs=1M count=48 2>/dev/null; done) >/dev/null 2>&1 & echo $! > /run/dirty.pid");

/** The guest runs on one host, writes, and changes its memory no faster than that: as it is and where it is, where that is possible, for a guest takes seconds to boot. */
async function calmGuest(): Promise<void> {
  const now = await sides();
  const at = HOSTS.find((host) => Bun.deepEquals(now, onlyOn(host)));
  if (at === undefined || !(await calm(at))) return freshGuest();
  [here, there] = at === "hosta" ? HOSTS : [HOSTS[1], HOSTS[0]];
}

/** The same on hosta. */
async function guestAtHome(): Promise<void> {
  await calmGuest();
  if (here === "hosta") return;
  await configure();
  expect((await migrate("hostb", "hosta")).exitCode).toBe(0);
  [here, there] = HOSTS;
}

/** Ends what dirties the memory; whether the guest answers and counts. */
async function calm(host: Host): Promise<boolean> {
  try {
    await guest.inside(host, "kill $(cat /run/dirty.pid) 2>/dev/null; rm -f /run/dirty.pid; killall dd 2>/dev/null; rm -f /run/dirt; true");
    const now = await count(host);
    await until("the guest counts", async () => (await count(host)) > now, 10);
    return true;
  } catch {
    return false;
  }
}

/** Its drive is empty, which is no reason not to move. */
const makeGuest = async () => (await Guest.make(VMID, "--memory", "256")).with(withDrive);

async function freshGuest(): Promise<void> {
  [here, there] = HOSTS;
  for (const host of HOSTS) await guest.remove(host);
  guest = await makeGuest();
  await guest.deploy("hosta");
  await guest.ready("hosta");
  await guest.inside("hosta", WRITER);
}

/** Post-copy needs user faults, which many kernels deny to programs that are not root's. Gives what was set before. */
async function allowUserfaults(value: string): Promise<string> {
  const name = "/proc/sys/vm/unprivileged_userfaultfd";
  return (await rootOn("hosta", `cat ${name}; echo ${value || 0} > ${name}`)).stdout.trim();
}

/** The process of the action on a host, once it migrates. */
async function migrating(host: Host): Promise<string> {
  await until("the memory is being sent", async () => (await rootOn(host, `virsh -c qemu:///system domjobinfo ${guest.uuid}`)).stdout.includes("Unbounded"), 30);
  return actionOn(host);
}

/** The process of the action on a host. */
async function actionOn(host: Host): Promise<string> {
  const pid = (await rootOn(host, `pgrep -o -f '[v]mm migrate ${guest.uuid}'`)).stdout.trim();
  if (pid === "") throw new Error("the action is not running");
  return pid;
}

beforeAll(async () => {
  tree = await syncedTree(HOSTS, settings());
  guest = await makeGuest();
  await freshGuest();
}, 2 * MINUTE);
afterAll(async () => {
  for (const host of HOSTS) await guest.remove(host);
  await settingsOn(HOSTS);
  rmSync(tree, { recursive: true, force: true });
}, MINUTE);

describe.each(PROTOCOLS)("migrate over %s", (protocol) => {
  test("three in a row, there and back, of a guest that writes and answers: nothing is lost; migrate_local, on the front-end, brings it back", async () => {
    await configure("", { protocol });
    expect(await travel(guest, 3, migrate)).toEqual(["hostb", "hosta", "hostb"]);
    expect([await guest.call("hosta", "migrate_local", [guest.uuid, "hosta", "hostb", String(VMID), "hostb"]), await sides()]).toEqual([DONE, onlyOn("hosta")]);
  }, 3 * MINUTE);
});

describe("migrate again", () => {
  test("after its answer was lost says that the VM is there, and does nothing", async () => {
    await configure();
    expect(await migrate("hosta", "hostb")).toEqual(DONE);
    expect(await migrate("hosta", "hostb")).toEqual({ ...DONE, stderr: `INFO: migrate: "${guest.name}" runs on hostb already\n` });
    expect(await sides()).toEqual(onlyOn("hostb"));
  }, MINUTE);
});

describe("what stands in the way", () => {
  beforeEach(calmGuest, MINUTE);

  test("is one clear error before anything is done, which --plan gives too, and the VM stays", async () => {
    const reasonTo = async (to: string) => {
      const result = await migrate(here, to);
      return [result.exitCode, result.stdout, userMessage(result)];
    };
    const plan = (to: string) => guest.call(here, "../../onevirt/onevirt-$(uname -m) vmm migrate", ["--plan", guest.uuid, to, here, String(VMID), here]);
    await settingsOn(HOSTS); // the lab's file system is not one of a cluster
    expect(await reasonTo(there)).toEqual([1, "", expect.stringMatching(/^Error migrating VM .* still runs on host[ab]: [^\n]*(shared|unsafe)[^\n]*--unsafe[^\n]*$/i)]);
    await configure("--no-such-option");
    expect(await reasonTo(there)).toEqual([1, "", expect.stringMatching(/^[^\n]*--no-such-option[^\n]*$/)]);
    await configure();
    const absent: readonly [to: string, reason: RegExp][] = [["nosuchhost", /^[^\n]*nosuchhost[^\n]*$/], [here, /^[^\n]*is the host that the VM runs on[^\n]*$/], ["localhost", /^[^\n]*"localhost" is this host for everybody[^\n]*$/]];
    for (const [to, reason] of absent) expect([to, ...(await reasonTo(to))]).toEqual([to, 1, "", expect.stringMatching(reason)]);
    const local = async (to: string) => {
      const result = await guest.call(here, "migrate_local", [guest.uuid, to, here, String(VMID), here]);
      return [result.exitCode, result.stdout, userMessage(result)];
    };
    for (const [to, reason] of absent) expect(["migrate_local", to, ...(await local(to))]).toEqual(["migrate_local", to, 1, "", expect.stringMatching(reason)]);
    const other = guest.xml.replace(guest.uuid, "aaaaaaaa-0000-4000-8000-000000004001");
    await on(there, `cat > ${guest.directory}/other && virsh -c qemu:///system define ${guest.directory}/other`, other);
    try {
      expect(await reasonTo(there)).toEqual([1, "", expect.stringMatching(/^[^\n]*nothing was done: [^\n]*has another domain "one-4001"[^\n]*$/)]);
      expect(await local(there)).toEqual([1, "", expect.stringMatching(/^Could not migrate [^\n]*nothing was done: [^\n]*has another domain "one-4001"[^\n]*$/)]);
      expect(await plan(there)).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('has another domain "one-4001"') });
    } finally {
      await on(there, `virsh -c qemu:///system undefine aaaaaaaa-0000-4000-8000-000000004001; rm ${guest.directory}/other`);
    }
    const would = await plan(there);
    expect([would.exitCode, would.stdout, await sides()]).toEqual([0, expect.stringMatching(new RegExp(`memory goes to: ${there}, here [0-9.]+ .*\\n.*\\n  not checked: whether a firewall`)), onlyOn(here)]);
  }, MINUTE);
});

describe("what the destination calls itself", () => {
  beforeEach(calmGuest, MINUTE);

  test("is looked up here before anything is done: a name that nobody knows here, or that leads back here, is one clear error, unless MIGRATE_URI names an address", async () => {
    const address = (await on(here, `getent hosts ${there}`)).stdout.split(" ")[0] ?? "";
    const hosts = `${DATASTORE}/4001-hosts`;
    /** Only this host sees the file. */
    const knowing = (line: string) => rootOn(here, `(grep -v '${there}$' ${hosts}; echo '${line}') > ${hosts}.new && cat ${hosts}.new > /etc/hosts`);
    await rootOn(here, `cp /etc/hosts ${hosts} && cp ${hosts} ${hosts}.own && mount --bind ${hosts}.own /etc/hosts`);
    try {
      await configure();
      for (const line of ["", `127.0.1.1 ${there}`]) {
        await knowing(line);
        const result = await migrate(here, address);
        expect([result.exitCode, userMessage(result), await sides()]).toEqual([1, expect.stringMatching(new RegExp(`nothing was done: ${address} calls itself "${there}", .*${line === "" ? "does not know the name" : "127.0.1.1, this host itself"}; .*MIGRATE_URI`)), onlyOn(here)]);
      }
      await configure("", { conf: `MIGRATE_URI=tcp://${address}\n` });
      expect([await migrate(here, address), await sides()]).toEqual([DONE, onlyOn(there)]);
    } finally {
      await rootOn(here, `umount /etc/hosts; rm -f ${hosts}*`);
    }
  }, 2 * MINUTE);
});

describe("a copy of a disk, as the storage's live snapshots make it", () => {
  beforeEach(calmGuest, MINUTE);

  test("is waited for, and told; then the VM moves", async () => {
    await configure();
    const copy = `${guest.directory}/copy`;
    await guest.inside(here, "dd if=/dev/urandom of=/dev/vda bs=1M seek=1 count=24 conv=fsync 2>/dev/null");
    await on(here, `qemu-img create -q -f qcow2 ${copy} 32M && virsh -c qemu:///system blockcopy ${guest.uuid} vda ${copy} --transient-job --bandwidth 1 --reuse-external`);
    const moving = on(here, `ONEVIRT_TRACE=${copy}.trace ${REMOTE}/migrate ${guest.uuid} ${there} ${here} ${VMID} ${here}`, document(true));
    await until("libvirt has refused", async () => Number((await on(here, `grep -c 'active block job' ${copy}.trace`)).stdout) > 0, 20);
    await on(here, `virsh -c qemu:///system blockjob ${guest.uuid} vda --abort`);
    expect([withoutProgress(await moving), await sides()]).toEqual([{ ...DONE, stderr: `INFO: migrate: migration of "${guest.name}": a disk is being copied, trying again in 5 s\n` }, onlyOn(there)]);
    await on(there, `rm -f ${copy} ${copy}.trace`);
    expect(await migrate(there, here)).toEqual(DONE);
  }, MINUTE);
});

describe("system snapshots", () => {
  beforeEach(calmGuest, MINUTE);

  test("are known on the destination after a migration, the current one as current, and go back and away there", async () => {
    await configure();
    const snapshot = (host: Host, action: string, word: string) => guest.call(host, `snapshot_${action}`, [guest.uuid, word, String(VMID), host]);
    for (const id of ["0", "1"]) expect((await snapshot(here, "create", id)).exitCode).toBe(0);
    expect(await migrate(here, there)).toEqual(DONE);
    const virsh = async (line: string) => (await on(there, `virsh -c qemu:///system ${line}`)).stdout.trim();
    expect([await virsh(`snapshot-list --name --topological ${guest.uuid}`), await virsh(`snapshot-current --name ${guest.uuid}`)]).toEqual(["snap-0\nsnap-1", "snap-1"]);
    expect([await snapshot(there, "revert", "snap-0"), await snapshot(there, "delete", "snap-0"), await snapshot(there, "delete", "snap-1")]).toEqual([DONE, DONE, DONE]);
    expect([await virsh(`snapshot-list --name ${guest.uuid}`), (await on(there, `ls ${guest.directory}`)).stdout]).toEqual(["", expect.not.stringContaining("snap-")]);
  }, 2 * MINUTE);
});

describe("options", () => {
  beforeEach(calmGuest, MINUTE);

  test("a limited bandwidth is kept, progress is told", async () => {
    await configure("--bandwidth 6");
    const begin = performance.now();
    const { exitCode, stderr } = await migrateTold(here, there);
    expect({ exitCode, told: /INFO: migrate: Migration of "one-4001": \d+ s: \d+ MiB sent/.test(stderr), slow: performance.now() - begin > 10_000, ...(await sides()) }).toEqual({ exitCode: 0, told: true, slow: true, ...onlyOn(there) });
  }, 2 * MINUTE);

  test("a guest that changes its memory faster than the limit is noticed: the migration ends, and the VM stays", async () => {
    await configure("--bandwidth 16", { conf: "MIGRATE_STALL_SECONDS=4\n" });
    await dirty(here);
    const { exitCode, stderr } = await migrate(here, there);
    expect({ exitCode, stderr, ...(await sides()) }).toEqual({ exitCode: 1, stderr: expect.stringContaining("what is left to send has not become less for 4 s"), ...onlyOn(here) });
  }, 3 * MINUTE);

  test("auto-converge holds such a guest back until it fits", async () => {
    await configure("--bandwidth 64 --auto-converge --auto-converge-initial 80 --auto-converge-increment 15");
    await dirty(here);
    expect({ ...(await migrate(here, there)), stderr: "", ...(await sides()) }).toEqual({ ...DONE, ...onlyOn(there) });
  }, 3 * MINUTE);

  test("post-copy that the kernel denies is foreseen, and leaves the VM where it is", async () => {
    await configure("--postcopy --postcopy-after-precopy");
    const before = await allowUserfaults("0");
    try {
      const { exitCode, stderr } = await migrate(here, there);
      expect({ exitCode, stderr, ...(await sides()) }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/WARN: migrate: post-copy needs the sysctl[^]*still runs on host[ab]/), ...onlyOn(here) });
    } finally {
      await allowUserfaults(before);
    }
  }, 2 * MINUTE);

  test("post-copy moves such a guest after one pass, and it goes on there", async () => {
    await configure("--bandwidth 24 --postcopy --postcopy-after-precopy");
    await dirty(here);
    const before = await allowUserfaults("1");
    const { exitCode, stderr } = await migrate(here, there).finally(() => allowUserfaults(before));
    expect({ exitCode, stderr, ...(await sides()) }).toEqual({ exitCode: 0, stderr: expect.stringContaining("switching to post-copy"), ...onlyOn(there) });
    const now = await count(there);
    await until("the guest goes on", async () => (await count(there)) > now, 20);
  }, 3 * MINUTE);
});

describe("a network of its own, and TLS", () => {
  const place = `${DATASTORE}/4001-pki`;
  let address = "";

  /** Certificates of both hosts and of the second address of hostb, from an authority of this test. */
  const CERTIFICATES = `set -e; mkdir -p ${place}; cd ${place}
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out ca-cert.pem -days 2 -subj /CN=ca -addext keyUsage=critical,keyCertSign 2>&1
    openssl req -newkey rsa:2048 -nodes -keyout server-key.pem -out server.csr -subj /CN=hosts 2>&1
    printf 'subjectAltName=DNS:hosta,DNS:hostb,IP:%s\\nextendedKeyUsage=serverAuth,clientAuth\\nkeyUsage=digitalSignature,keyEncipherment\\nbasicConstraints=CA:FALSE\\n' ADDRESS > extensions
    openssl x509 -req -in server.csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial -days 2 -out server-cert.pem -extfile extensions 2>&1
    cp server-cert.pem client-cert.pem; cp server-key.pem client-key.pem; chown -R oneadmin:oneadmin .`;
  const ok = async (host: Host, line: string) => {
    const { exitCode, stdout, stderr } = await rootOn(host, line);
    if (exitCode !== 0) throw new Error(`${host}: ${stdout}${stderr}`);
    return stdout.trim();
  };

  beforeAll(async () => {
    await guestAtHome();
    const [device = "", first = ""] = (await ok("hostb", "ip -o -4 addr show scope global | awk '!/onebr/ { print $2, $4; exit }'")).split(" ");
    address = first.replace(/(\d+)\/.*/, (_whole, last: string) => String(Number(last) + 100));
    await ok("hostb", `ip addr add ${address}/24 dev ${device}`);
    await ok("hosta", CERTIFICATES.replace("ADDRESS", address));
    for (const host of HOSTS) await ok(host, `echo 'migrate_tls_x509_cert_dir = "${place}"' >> /etc/libvirt/qemu.conf`);
    await Promise.all(HOSTS.map((host) => lab("restart", host)));
  }, MINUTE);
  afterAll(async () => {
    await ok("hostb", `ip addr del ${address}/24 dev "$(ip -o -4 addr show to ${address} | awk '{ print $2 }')"`);
    for (const host of HOSTS) await ok(host, "sed -i /^migrate_tls/d /etc/libvirt/qemu.conf");
    await Promise.all(HOSTS.map((host) => lab("restart", host)));
    rmSync(place, { recursive: true, force: true });
  }, MINUTE);

  test("MIGRATE_URI and --tls: the memory goes to the second address of the destination, enciphered", async () => {
    await configure("--tls --bandwidth 8", { conf: `MIGRATE_URI=tcp://${address}\n` });
    const migration = migrate("hosta", "hostb");
    await until("the memory goes to the second address", async () => (await rootOn("hosta", "ss -Htn state established")).stdout.includes(address), 30);
    const parameters = await rootOn("hosta", `virsh -c qemu:///system qemu-monitor-command ${guest.uuid} --hmp info migrate_parameters`);
    expect(parameters.stdout).toMatch(/tls-creds: '?objlibvirt_migrate_tls0/);
    expect({ ...(await migration), stderr: "", ...(await sides()) }).toEqual({ ...DONE, stderr: "", ...onlyOn("hostb") });
  }, 2 * MINUTE);

  test("a certificate that the other side cannot check is a refusal, and the VM stays", async () => {
    await guestAtHome();
    await configure("--tls --tls-destination somebody.else", { conf: `MIGRATE_URI=tcp://${address}\n` });
    const { exitCode, stderr } = await migrate("hosta", "hostb");
    expect({ exitCode, stderr, ...(await sides()) }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/still runs on hosta: .*(TLS|certificate)/), ...onlyOn("hosta") });
  }, 2 * MINUTE);
});

describe("storage that is not shared", () => {
  const own = (size: string) => rootOn(there, `mkdir -p ${guest.directory} && mount -t tmpfs -o size=${size},uid=$(id -u oneadmin),gid=$(id -g oneadmin),mode=755 none ${guest.directory}`);
  const ownNoMore = () => rootOn(there, `umount -l ${guest.directory}`);
  const content = (host: Host) => guest.inside(host, "dd if=/dev/vda bs=1M skip=1 count=8 2>/dev/null | md5sum");
  const write = (host: Host) => guest.inside(host, "dd if=/dev/urandom of=/dev/vda bs=1M seek=1 count=8 conv=fsync 2>/dev/null");
  beforeEach(calmGuest, MINUTE);

  test("is copied while the guest runs, through images made on the destination, and back into those that are there", async () => {
    await configure();
    await own("64m");
    try {
      for (const [from, to] of [[here, there], [there, here]] as const) {
        await write(from);
        const before = await content(from);
        expect([await migrate(from, to, { shared: false }), await sides()]).toEqual([DONE, onlyOn(to)]);
        expect(await content(to)).toBe(before);
      }
    } finally {
      await ownNoMore();
    }
  }, 2 * MINUTE);

  test("17.1 row 7: a full disk on the destination: the VM stays, what was made there is gone, and a second try works", async () => {
    await configure();
    await write(here);
    await own("300k");
    try {
      const { exitCode, stderr } = await migrate(here, there, { shared: false });
      expect({ exitCode, stderr, ...(await sides()) }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/still runs on host[ab]: .*No space left on device/), ...onlyOn(here) });
      expect((await rootOn(there, `ls ${guest.directory}`)).stdout).not.toContain("disk.0");
    } finally {
      await ownNoMore();
    }
    expect([await migrate(here, there), await sides()]).toEqual([DONE, onlyOn(there)]);
  }, 2 * MINUTE);
});

describe("17.1 row 8: faults", () => {
  const secondTry = async (protocol = "qemu+ssh") => {
    await configure("", { protocol });
    const { exitCode, stderr } = await migrate(here, there);
    expect({ exitCode, stderr, ...(await sides()) }).toEqual({ exitCode: 0, stderr: expect.any(String), ...onlyOn(there) });
    const now = await count(there);
    await until("the guest goes on", async () => (await count(there)) > now, 20);
    return stderr;
  };
  beforeEach(calmGuest, MINUTE);

  test.each(PROTOCOLS)("libvirtd of the destination stopped, over %s: nothing is begun, and a second try works", async (protocol) => {
    await configure("", { protocol });
    await lab("stop-daemon", there);
    try {
      const { exitCode, stderr } = await migrate(here, there);
      expect({ exitCode, stderr, here: await guest.state(here) }).toEqual({ exitCode: 1, stderr: expect.stringMatching(new RegExp(`^Error migrating VM .*${protocol.replace("+", "\\+")}://${there}/system`, "m")), here: "running" });
    } finally {
      await lab("start-daemon", there);
    }
    await expectOnceOn(here);
    await secondTry(protocol);
  }, 2 * MINUTE);

  test("libvirtd of the destination stopped while memory is sent", async () => {
    await configure("--bandwidth 4");
    const migration = migrate(here, there);
    await migrating(here);
    await lab("stop-daemon", there);
    const { exitCode, stderr } = await migration;
    expect({ exitCode, stderr, here: await guest.state(here) }).toEqual({ exitCode: 1, stderr: expect.stringContaining(`still runs on ${here}`), here: "running" });
    await lab("start-daemon", there);
    await expectOnceOn(here);
    await secondTry();
  }, 3 * MINUTE);

  test.each(PROTOCOLS)("the action killed while memory is sent, over %s: the same action again takes back and migrates", async (protocol) => {
    await configure("--bandwidth 4", { protocol });
    const migration = migrate(here, there);
    await rootOn(here, `kill -KILL ${await migrating(here)}`);
    expect((await migration).exitCode).not.toBe(0);
    await expectOnceOn(here);
    expect(await secondTry(protocol)).toContain(`A migration of "${guest.name}" to ${there} did not end (it was in "migrate")`);
  }, 3 * MINUTE);

  test("the action killed while it prepares the disks of the destination: the same action again takes back what was made, and migrates", async () => {
    const gate = `${DATASTORE}/4001-gate`;
    await rootOn(here, `printf '#!/bin/sh\\nif [ "$1" = create ]; then touch ${gate}.reached; while [ ! -e ${gate}.open ]; do sleep 0.1; done; fi\\nexec qemu-img "$@"\\n' > ${gate} && chmod 755 ${gate}`);
    await settingsOn(HOSTS, { kvmrc: `${settings().kvmrc}QEMU_IMG=${gate}\n` });
    await rootOn(there, `mkdir -p ${guest.directory} && mount -t tmpfs -o size=64m,uid=$(id -u oneadmin),gid=$(id -g oneadmin),mode=755 none ${guest.directory}`);
    try {
      const migration = migrate(here, there, { shared: false });
      await until("an image is being made on the destination", async () => (await rootOn(here, `ls ${gate}.reached`)).exitCode === 0, 30);
      await rootOn(here, `kill -KILL ${await actionOn(here)}`);
      expect((await migration).exitCode).not.toBe(0);
      await expectOnceOn(here);
      await rootOn(here, `touch ${gate}.open`);
      await until("the image that nobody waits for is there", async () => (await rootOn(there, `ls ${guest.directory}/disk.0`)).exitCode === 0, 20);
      const { exitCode, stderr } = await migrate(here, there, { shared: false });
      expect({ exitCode, stderr, ...(await sides()) }).toEqual({ exitCode: 0, stderr: expect.stringContaining(`A migration of "${guest.name}" to ${there} did not end (it was in "prepare")`), ...onlyOn(there) });
      await configure();
      expect([(await migrate(there, here, { shared: false })).exitCode, await sides()]).toEqual([0, onlyOn(here)]);
    } finally {
      await rootOn(there, `umount -l ${guest.directory}`);
      await rootOn(here, `touch ${gate}.open; rm -f ${gate} ${gate}.*`);
    }
  }, 3 * MINUTE);

  test("ssh cut while memory is sent", async () => {
    await configure("--bandwidth 4");
    const migration = migrate(here, there);
    await rootOn(here, `pkill -KILL -P ${await migrating(here)} ssh`);
    const { exitCode, stderr } = await migration;
    expect({ exitCode, stderr, ...(await sides()) }).toEqual({ exitCode: 1, stderr: expect.stringContaining(`still runs on ${here}`), ...onlyOn(here) });
    await secondTry();
  }, 3 * MINUTE);

  test("libvirtd of the destination stopped after the handover: the VM is there, nothing was removed, and the same action finishes it", async () => {
    await configure("--bandwidth 24 --postcopy --postcopy-after-precopy --postcopy-bandwidth 8");
    await dirty(here);
    const before = await allowUserfaults("1");
    try {
      const migration = migrate(here, there);
      await until("the destination runs the guest", async () => (await rootOn(there, `virsh -c qemu:///system domstate ${guest.uuid}`)).stdout.startsWith("running"), 90);
      await lab("stop-daemon", there);
      const { exitCode, stderr } = await migration;
      await lab("start-daemon", there);
      expect({ exitCode, stderr, there: await guest.state(there) }).toEqual({ exitCode: 3, stderr: expect.stringMatching(new RegExp(`to ${there}.*; ${here}: .*; ${there}: .*; nothing was removed on either side`)), there: "running" });
      await expectOnceOn(there);
      await secondTry();
    } finally {
      await allowUserfaults(before);
    }
  }, 4 * MINUTE);
});

describe("change of datastore", () => {
  const other = () => guest.directory.replace("/0/", "/100/");
  const request = () => document(true).replace(`<DISK_TARGET_PATH>${guest.directory}`, `<DISK_TARGET_PATH>${other()}`);
  const change = () => guest.call("hosta", "migrate", [guest.uuid, "hosta", "hosta", String(VMID), "hosta"], request());
  const plan = () => guest.call("hosta", "../../onevirt/onevirt-$(uname -m) vmm migrate", ["--plan", "--message", "-", guest.uuid, "hosta", "hosta", String(VMID), "hosta"], request());
  const virsh = async (line: string) => (await on("hosta", `virsh -c qemu:///system ${line}`)).stdout;
  const xml = () => virsh(`dumpxml ${guest.uuid}`);
  const content = () => guest.inside("hosta", "dd if=/dev/vda bs=1M skip=1 count=8 2>/dev/null | md5sum");
  const destroy = () => rootOn("hosta", `virsh -c qemu:///system destroy ${guest.uuid}; umount -l ${other()}; rm -rf ${other()}`);
  const resize = (size: string) => rootOn("hosta", `mount -o remount,size=${size} ${other()}`);
  /** A guest beside a new datastore of this size. That is there first: a QEMU does not see what is mounted after its start. */
  const guestBeside = async (size: string) => {
    for (const host of HOSTS) await guest.remove(host);
    await rootOn("hosta", `mkdir -p ${other()} && mount -t tmpfs -o size=${size},uid=$(id -u oneadmin),gid=$(id -g oneadmin),mode=755 none ${other()}`);
    await configure();
    await freshGuest();
  };
  const write = (megabytes: number) => guest.inside("hosta", `dd if=/dev/urandom of=/dev/vda bs=1M seek=1 count=${megabytes} conv=fsync 2>/dev/null`);
  /** Each disk's file, by target, as the running domain has it. */
  const images = async () => Object.fromEntries([...(await virsh(`domblklist ${guest.uuid}`)).matchAll(/^ *(vd\w)\s+(\S+)/gm)].map(([, target, path]) => [target, path]));
  const metadata = async () => /system_datastore>\s*(?:<!\[CDATA\[)?([^\]<\s]+)/.exec(await xml())?.[1];

  test("17.1 row 7, 17.1 row 15: with a full datastore the guest goes on with its old disk, and nothing of it is removed; else its disks move, and its metadata", async () => {
    await guestBeside("1m");
    try {
      await write(8);
      const before = await content();
      const { exitCode, stderr } = await change();
      expect({ exitCode, stderr, state: await guest.state("hosta"), images: await images(), content: await content(), metadata: await metadata() }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/the disks of "one-4001" stay in [^:]*datastores\/0\/4001: the copy of disk vda ended by itself, as when the destination is full/), state: "running", images: { vda: `${guest.directory}/disk.0` }, content: before, metadata: guest.directory });
      await resize("64m");
      const would = await plan();
      expect([would.exitCode, would.stdout, await images()]).toEqual([0, expect.stringMatching(/^Change the datastore of "one-4001" on hosta: [^]*\nIt would be done\.\n$/), { vda: `${guest.directory}/disk.0` }]);
      expect(await change()).toEqual(DONE);
      expect({ images: await images(), old: (await xml()).includes(`file='${guest.directory}/disk.0'`), metadata: await metadata(), content: await content(), jobs: await virsh(`blockjob ${guest.uuid} vda`) }).toEqual({ images: { vda: `${other()}/disk.0` }, old: false, metadata: other(), content: before, jobs: expect.not.stringContaining("Copy") });
      expect(await change()).toEqual(DONE); // as after a lost answer
    } finally {
      await destroy();
    }
  }, 2 * MINUTE);

  test("17.1 row 7: when the second of two disks does not fit, the first is taken back, the guest goes on with both, and a second try works, after a copy that a killed action left too", async () => {
    await guestBeside("36m");
    const second = `${guest.directory}/disk.1`;
    const old = { vda: `${guest.directory}/disk.0`, vdb: second };
    const moved = { vda: `${other()}/disk.0`, vdb: `${other()}/disk.1` };
    try {
      await on("hosta", `head -c 24M /dev/urandom > ${second} && virsh -c qemu:///system attach-disk ${guest.uuid} ${second} vdb --live --subdriver raw --cache none`);
      await write(16);
      const before = await content();
      const { exitCode, stderr } = await change();
      expect({ exitCode, stderr, state: await guest.state("hosta"), images: await images(), content: await content(), metadata: await metadata() }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/the disks of "one-4001" stay in [^:]*datastores\/0\/4001: the copy of disk vdb ended by itself, as when the destination is full\.\n/), state: "running", images: old, content: before, metadata: guest.directory });
      expect((await rootOn("hosta", `ls ${other()}`)).stdout).not.toContain("disk.");
      const now = await count("hosta");
      await until("the guest goes on", async () => (await count("hosta")) > now, 20);
      await resize("128m");
      await on("hosta", `qemu-img create -q -f qcow2 ${moved.vda} 32M && virsh -c qemu:///system blockcopy ${guest.uuid} vda ${moved.vda} --transient-job --reuse-external --wait`);
      const again = await change();
      expect({ ...again, images: await images(), content: await content(), metadata: await metadata() }).toEqual({ ...DONE, stderr: `WARN: migrate: A copy of disk vda of "one-4001" is ended, it is not used\n`, images: moved, content: before, metadata: other() });
    } finally {
      await destroy();
    }
  }, 2 * MINUTE);

  test("of a UEFI VM: its variables go along, and what that means is told", async () => {
    const uefi = (await Guest.make(VMID + 1)).with((text) => text.replace("</os>", `<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader><nvram>${DATASTORE}/${VMID + 1}/one-${VMID + 1}_VARS.fd</nvram></os>`));
    const [from, to] = [uefi.directory, uefi.directory.replace("/0/", "/100/")];
    const { kvmrc = "" } = settings();
    await settingsOn(HOSTS, { kvmrc: `${kvmrc}OVMF_NVRAM=/usr/share/OVMF/OVMF_VARS.fd\n` });
    try {
      expect((await uefi.deploy("hosta")).exitCode).toBe(0);
      await virsh(`suspend ${uefi.uuid}`); // a firmware that is emulated takes its time
      await rootOn("hosta", `printf changed | dd of=${from}/${uefi.name}_VARS.fd conv=notrunc bs=1 seek=100000 2>/dev/null`);
      const result = await uefi.call("hosta", "migrate", [uefi.uuid, "hosta", "hosta", String(VMID + 1), "hosta"], document(true).replaceAll(guest.directory, to).replace(`<ID>${VMID}</ID>`, `<ID>${VMID + 1}</ID>`));
      expect(result).toEqual({ exitCode: 0, stdout: "", stderr: expect.stringMatching(/^WARN: migrate: "one-4002": its UEFI variables are copied as they are now; [^\n]*\n$/) });
      expect((await rootOn("hosta", `cmp ${from}/${uefi.name}_VARS.fd ${to}/${uefi.name}_VARS.fd && stat -c %U ${to}/${uefi.name}_VARS.fd`)).stdout).toBe("oneadmin\n");
      expect(await virsh(`dumpxml ${uefi.uuid}`)).toContain(`file='${to}/disk.0'`);
    } finally {
      await uefi.remove("hosta");
      rmSync(to, { recursive: true, force: true });
    }
  }, 2 * MINUTE);
});
