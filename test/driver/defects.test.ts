import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NIC, payload, requestLine } from "../fixtures/driver-message.ts";
import type { MessageParts } from "../fixtures/driver-message.ts";
import { DriverProcess } from "../fixtures/driver-process.ts";
import { eventually, processesWith } from "../fixtures/driver-processes.ts";
import { DriverWorld } from "../fixtures/driver-world.ts";

// One test for each recorded defect of upstream's driver (`defect-` recordings), named after its row of driver-protocol.md 18:
// each shows that the defect is absent.

setDefaultTimeout(40_000);

const DEFAULT = "-t 15 -r 0 kvm -p";
let world: DriverWorld;
let driver: DriverProcess;

beforeEach(() => {
  world = new DriverWorld();
  for (const name of ["deploy", "cancel", "shutdown", "resize", "reboot", "attach_nic", "attach_disk", "prereconfigure", "reconfigure", "exec"]) world.script(`vmm/kvm/${name}`);
  for (const name of ["pre", "post", "clean"]) world.script(`vnm/bridge/${name}`);
  for (const name of ["context", "clone", "delete"]) world.script(`tm/ssh/${name}`);
});

afterEach(async () => {
  driver.kill();
  await driver.exited;
  world[Symbol.dispose]();
});

function start(options = DEFAULT): DriverProcess {
  driver = new DriverProcess(world, [options]);
  driver.send("INIT\n");
  return driver;
}

/** The results of some requests. */
async function answers(...requests: readonly string[]): Promise<readonly string[]> {
  const before = driver.results().length;
  driver.send(requests.join(""));
  return (await driver.waitForResults(before + requests.length)).slice(before);
}

const deployment = (): MessageParts => {
  world.write("var/vms/7/deployment.0", "<domain/>\n");
  return { deployId: "", localFile: `${world.root}/var/vms/7/deployment.0`, remoteFile: `${world.root}/vm/7/deployment.0`, template: NIC };
};

describe("row 1, requests without an answer", () => {
  test("malformed messages are refused (defect-malformed-message)", async () => {
    start();
    const cut = Buffer.from("<A>").toString("base64");
    expect(await answers("CANCEL  7 !!!notbase64\n", `CANCEL  8 ${cut}\n`, `cancel 9 ${Buffer.from("<A/>").toString("base64")}\n`)).toEqual([
      "CANCEL FAILURE 7 Cannot read the message: it is not base64",
      expect.stringMatching(/^CANCEL FAILURE 8 Cannot read the message: ./),
      "CANCEL FAILURE 9 Cannot read the message: expected VMM_DRIVER_ACTION_DATA, found A",
    ]);
  });

  test("a deployment file that is not there fails the action (defect-deploy-missing-file)", async () => {
    start();
    expect(await answers(requestLine("DEPLOY", 7, { ...deployment(), localFile: "/nowhere" }))).toEqual(["DEPLOY FAILURE 7 Cannot open deployment file /nowhere"]);
  });

  test("a disk without a roll-back command is attached (defect-attachdisk-no-rollback)", async () => {
    start();
    const disk = { command: "CLONE ssh fe:/a node1:/b 7 1\n", target: "/b", template: "<DISK><ATTACH>YES</ATTACH><TARGET>vdb</TARGET></DISK>" };
    expect(await answers(requestLine("ATTACHDISK", 7, disk))).toEqual(["ATTACHDISK SUCCESS 7 -"]);
    world.behave("vmm/kvm/attach_disk", { exit: 1, stderr: "no\n" });
    expect((await answers(requestLine("ATTACHDISK", 8, disk), requestLine("RESIZE", 9))).toSorted()).toEqual(["ATTACHDISK FAILURE 8 no", "RESIZE SUCCESS 9 -"]);
  });

  test("a guest command without input runs with an empty one (defect-exec-no-stdin)", async () => {
    start();
    expect(await answers(requestLine("EXEC", 7, { template: "<QEMU_GA_EXEC><COMMAND>/bin/ls</COMMAND></QEMU_GA_EXEC>" }))).toEqual(["EXEC SUCCESS 7 -"]);
    expect(world.calls()[0]?.arguments).toEqual(["7", "node1", "/bin/ls", ""]);
  });

  test.each(["CANCEL", "DEPLOY"])("an unreachable host fails %s, every time (defect-host-unreachable-cancel, defect-host-unreachable-deploy)", async (action) => {
    start();
    const parts = { ...(action === "DEPLOY" ? deployment() : {}), host: "dead1", template: NIC };
    const requests = Array.from({ length: 8 }, (_, number) => requestLine(action, number, parts));
    const text = "ssh: connect to host dead1 port 22: Connection refused Error connecting to dead1";
    const info = action === "DEPLOY" ? ` bridge: ${text}` : text;
    expect((await answers(...requests)).toSorted()).toEqual(requests.map((_, number) => `${action} FAILURE ${number} ${info}`));
  });
});

describe("row 2, command injection", () => {
  test("a line EOT in the message stays data: actions.md 17.1 row 14 (defect-heredoc-injection)", async () => {
    start();
    const trap = `${world.root}/injected`;
    const note = `<NOTE><![CDATA[a\nEOT\ntouch ${trap}\n$(touch ${trap})\`touch ${trap}\`\n]]></NOTE>`;
    expect(await answers(requestLine("CANCEL", 7, { template: NIC + note }))).toEqual(["CANCEL SUCCESS 7 -"]);
    const sent = Buffer.from(payload({ template: NIC + note }), "base64").toString("utf8");
    expect(world.calls()[0]?.stdin).toBe(`${sent}\n`);
    expect(existsSync(trap)).toBe(false);
  });

  test("quotes, line breaks and substitutions in a parameter stay one argument (defect-quote-injection)", async () => {
    start();
    const trap = `${world.root}/injected`;
    const model = `virtio'; touch ${trap}; '\n"$(touch ${trap})"\\ \`touch ${trap}\`; stop`;
    const nic = `<NIC><ATTACH>YES</ATTACH><BRIDGE>b</BRIDGE><MAC>02:00</MAC><TARGET>t</TARGET><VN_MAD>bridge</VN_MAD><MODEL><![CDATA[${model}]]></MODEL></NIC>`;
    expect(await answers(requestLine("ATTACHNIC", 7, { template: nic }))).toEqual(["ATTACHNIC SUCCESS 7 -"]);
    expect(world.calls().find(({ path }) => path.endsWith("attach_nic"))?.arguments).toEqual(["one-7", "02:00", "b", model, "bridge", "t", "7", "node1"]);
    expect(existsSync(trap)).toBe(false);
  });

  test("a guest command with quotes arrives as it is (defect-exec-quoted-command)", async () => {
    start();
    const command = "/bin/ls -la '/x y' \"$HOME\"";
    expect(await answers(requestLine("EXEC", 7, { template: `<QEMU_GA_EXEC><COMMAND><![CDATA[${command}]]></COMMAND><STDIN>aGk=</STDIN></QEMU_GA_EXEC>` }))).toEqual(["EXEC SUCCESS 7 -"]);
    expect(world.calls()[0]?.arguments).toEqual(["7", "node1", command, "aGk="]);
  });

  test("a host that looks like an option is refused", async () => {
    start();
    expect(await answers(requestLine("RESIZE", 7, { host: "-oProxyCommand=touch" }), requestLine("CANCEL", 8, { host: "a b" }))).toEqual([
      'RESIZE FAILURE 7 Cannot connect to "-oProxyCommand=touch": not a host name', 'CANCEL FAILURE 8 Cannot connect to "a b": not a host name',
    ]);
    expect(world.connections()).toEqual([]);
  });
});

describe("rows 3 to 6, hosts and places", () => {
  test("a hung host takes nothing from the others (defect-hung-host-exhausts-threads)", async () => {
    start("-t 2 -r 0 kvm -p");
    driver.send(requestLine("CANCEL", 7, { host: "hang1" }) + requestLine("CANCEL", 8, { host: "hang1" }));
    expect(await answers(requestLine("RESIZE", 9))).toEqual(["RESIZE SUCCESS 9 -"]);
  });

  test("one VM on two hosts locks neither for ever (defect-same-vm-two-hosts-deadlock)", async () => {
    start("-t 15 -r 0 kvm");
    world.behave("vmm/kvm/reboot", { sleepSeconds: 0.5 });
    const requests = [requestLine("RESIZE", 7), requestLine("REBOOT", 7, { host: "node2" }), requestLine("RESIZE", 21), requestLine("RESIZE", 22, { host: "node2" })];
    expect((await answers(...requests)).toSorted()).toEqual(["REBOOT SUCCESS 7 -", "RESIZE SUCCESS 21 -", "RESIZE SUCCESS 22 -", "RESIZE SUCCESS 7 -"]);
  });

  test("DRIVER_CANCEL ends the script, sends no result and keeps the limit (defect-driver-cancel-running)", async () => {
    start("-t 1 -r 0 kvm -p");
    world.behave("vmm/kvm/cancel", { body: "sleep 60 & wait" });
    // Each call counts itself in and out: more than one at a time would show.
    world.behave("vmm/kvm/resize", { body: `mkdir "$root/busy" || echo "two at once" >&2; sleep 0.1; rmdir "$root/busy"` });
    driver.send(requestLine("CANCEL", 7));
    await eventually("the script runs", () => world.calls().length === 1);
    driver.send("DRIVER_CANCEL  7 \n");
    const requests = [11, 12, 13, 14].map((id) => requestLine("RESIZE", id));
    expect((await answers(...requests)).toSorted()).toEqual([11, 12, 13, 14].map((id) => `RESIZE SUCCESS ${id} -`));
    expect(driver.lines.filter((line) => line.startsWith("LOG"))).toEqual(["LOG I 7 Driver command for 7 cancelled"]);
    await driver.finish();
    await eventually("no process is left", () => processesWith(world.root).length === 0);
    expect(driver.results().filter((line) => line.startsWith("CANCEL"))).toEqual([]);
  });

  test("a request that waits can be cancelled, and an unknown one does no harm", async () => {
    start("-t 15 -r 0 kvm");
    world.behave("vmm/kvm/resize", { sleepSeconds: 0.3 });
    driver.send(`${requestLine("RESIZE", 1)}${requestLine("RESIZE", 2)}DRIVER_CANCEL  2 \nDRIVER_CANCEL  99 \n`);
    driver.send(requestLine("RESIZE", 3));
    expect(await driver.waitForResults(2)).toEqual(["RESIZE SUCCESS 1 -", "RESIZE SUCCESS 3 -"]);
    expect(driver.lines.filter((line) => line.startsWith("LOG"))).toEqual(["LOG I 2 Driver command for 2 cancelled", "LOG I 99 Driver command for 99 cancelled"]);
  });
});

describe("rows 8 and 9, framing", () => {
  test.each([
    ["defect-stdout-multiline", { stdout: "line one\nline two\n\nCANCEL SUCCESS 9 -\n" }, "SHUTDOWN SUCCESS 7 line one line two CANCEL SUCCESS 9 -"],
    ["defect-stdout-contains-marker", { stdout: "a\nEOF_OUT\nb\n" }, "SHUTDOWN SUCCESS 7 a EOF_OUT b"],
    ["defect-stderr-contains-marker", { stderr: "ExitCode: 0 EOF_ERR\nreal failure\n", exit: 3 }, "SHUTDOWN FAILURE 7 ExitCode: 0 EOF_ERR real failure"],
    ["defect-stderr-no-newline", { stderr: "warning without newline" }, "SHUTDOWN SUCCESS 7 -"],
    ["defect-stderr-no-newline-timeout", { stderr: "no newline", exit: 1 }, "SHUTDOWN FAILURE 7 no newline"],
    ["defect-v5.6-deploy-failure", { stderr: "ERROR MESSAGE --8<------\nCould not\nfrom x\nERROR MESSAGE ------>8--\n", exit: 255 }, "SHUTDOWN FAILURE 7 Could not from x"],
  ] as const)("whatever a script prints is one line of its own action (%s)", async (_name, behaviour, result) => {
    start("-t 15 -r 0 -w 20 kvm -p");
    world.behave("vmm/kvm/shutdown", behaviour);
    expect(await answers(requestLine("SHUTDOWN", 7))).toEqual([result]);
  });
});

describe("rows 10 to 16, limits and repetition", () => {
  test("-w 0 is no limit (defect-timeout-zero)", async () => {
    start("-t 15 -r 0 -w 0 kvm -p");
    world.behave("vmm/kvm/cancel", { sleepSeconds: 1.5 });
    expect(await answers(requestLine("CANCEL", 7))).toEqual(["CANCEL SUCCESS 7 -"]);
  });

  test("-w ends every kind of step, and what it started (row 10)", async () => {
    start("-t 15 -r 0 -w 4 kvm -p");
    for (const script of ["vmm/kvm/cancel", "vmm/kvm/resize", "vnm/bridge/pre", "tm/ssh/context"]) world.behave(script, { body: "sleep 60 & sleep 60" });
    const requests = [requestLine("CANCEL", 1), requestLine("RESIZE", 2), requestLine("RESTORE", 3, { template: NIC }), requestLine("UPDATECONF", 4, { command: "CONTEXT ssh /c node1:/d 7 0\n" })];
    expect((await answers(...requests)).toSorted()).toEqual([
      "CANCEL FAILURE 1 Timeout Error",
      "RESIZE FAILURE 2 Timeout executing " + `${world.hostTree}/vmm/kvm/resize one-7 2 node1`,
      "RESTORE FAILURE 3  bridge: Timeout Error",
      "UPDATECONF FAILURE 4 Timeout executing " + `${world.remotes}/tm/ssh/context /c node1:/d 7 0`,
    ]);
    await eventually("no script is left", () => processesWith(world.root).filter((line) => line.includes("sleep 60")).length === 0);
  });

  test("a script that fails is not repeated by -r (defect-retry-repeats-failing-script)", async () => {
    start("-t 15 -r 2 kvm -p");
    world.behave("vmm/kvm/resize", { exit: 1, stderr: "nope\n" });
    expect(await answers(requestLine("RESIZE", 7))).toEqual(["RESIZE FAILURE 7 nope"]);
    expect(world.calls().length).toBe(1);
  });

  test("a missing script is copied and run whatever -r says (defect-resync-single-r0)", async () => {
    start();
    world.script("vmm/kvm/snapshot_create", { onHosts: false });
    expect(await answers(requestLine("SNAPSHOTCREATE", 7))).toEqual(["SNAPSHOTCREATE SUCCESS 7 -"]);
    expect(driver.lines.filter((line) => line.startsWith("LOG"))).toEqual(["LOG I 7 Remote worker node files not found", "LOG I 7 Updating remotes"]);
  });

  test("a deploy without an answer is a failure that is cleaned up (defect-deploy-empty-stdout)", async () => {
    start();
    expect(await answers(requestLine("DEPLOY", 7, deployment()))).toEqual(["DEPLOY FAILURE 7 deploy printed no deploy id"]);
    expect(world.calls().map(({ path }) => path.split("/").at(-1))).toEqual(["pre", "deploy", "clean"]);
  });

  test("a NIC without fields is given on as empty arguments (defect-attach-nic-no-fields)", async () => {
    start();
    expect(await answers(requestLine("ATTACHNIC", 7, { template: "<NIC><ATTACH>YES</ATTACH></NIC>" }))).toEqual(["ATTACHNIC SUCCESS 7 -"]);
    expect(world.calls()[0]?.arguments).toEqual(["one-7", "", "", "-", "", "", "7", "node1"]);
  });

  test("FINALIZE and end of input leave nothing running (defect-finalize-then-eof)", async () => {
    start();
    world.behave("vmm/kvm/resize", { body: "sleep 60 & sleep 60" });
    driver.send(requestLine("RESIZE", 7));
    await eventually("the script runs", () => world.calls().length === 1);
    const began = performance.now();
    expect(await driver.finish()).toBe(0);
    // oned kills what is there after 10 s (driver-protocol.md 2.2).
    expect(performance.now() - began).toBeLessThan(10_000);
    await eventually("no process is left", () => processesWith(world.root).length === 0);
  });
});
