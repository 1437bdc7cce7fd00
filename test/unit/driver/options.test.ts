import { describe, expect, test } from "bun:test";
import { listed, overrideOf, parseActionList } from "../../../src/driver/action-list.ts";
import { argumentsFor, driverLaunchers } from "../../../src/driver/launcher.ts";
import { parseOptions } from "../../../src/driver/options.ts";
import { environmentOf, priorityOf, settingsOf } from "../../../src/driver/start.ts";

describe("parseOptions", () => {
  test("reads oned's one string and separate words alike", () => {
    const expected = expect.objectContaining({ hypervisor: "kvm", threads: 15, retries: 0, parallel: true, shell: "bash", timeoutSeconds: undefined });
    expect(parseOptions(["-t 15 -r 0 kvm -p"])).toEqual(expected);
    expect(parseOptions(["-t", "15", "-r", "0", "kvm", "-p"])).toEqual(expected);
  });

  test("takes values in every form, shortened names, and what comes after the hypervisor", () => {
    expect(parseOptions(["-t3 --retries=2 --par lxc --time 9 -sdash more words"])).toMatchObject({ hypervisor: "lxc", threads: 3, retries: 2, parallel: true, timeoutSeconds: 9, shell: "dash" });
  });

  test("-d replaces its default, a later -l the earlier one", () => {
    const options = parseOptions(["-l deploy -l resize=mine,,Poll kvm"]);
    expect([...options.local]).toEqual([["resize", "mine"], ["poll", ""]]);
    expect([...options.delegate]).toEqual([["migrate", ""]]);
    expect([...parseOptions(["-d deploy kvm"]).delegate]).toEqual([["deploy", ""]]);
  });

  test("numbers are their leading digits, a missing one is 0", () => {
    expect(parseOptions(["-r x kvm -w"])).toMatchObject({ retries: 0, timeoutSeconds: 0 });
    expect(parseOptions(["-t 4x kvm"]).threads).toBe(4);
  });

  test.each(["", "-i kvm", "-t 0 kvm", "-t kvm", "-p", "--no kvm", "--t kvm", "-l", "kvm -s", "../kvm"])("%j is refused", (words) => {
    expect(() => parseOptions([words])).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
  });
});

describe("action lists", () => {
  test("both spellings of a name are one", () => {
    const list = parseActionList("attachdisk,snapshot_create=x");
    expect([listed(list, "attach_disk"), listed(list, "ATTACHDISK"), overrideOf(list, "snapshotcreate"), listed(list, "detach_disk")]).toEqual([true, true, "x", false]);
  });

  test("odd items are read as upstream does", () => {
    expect([...parseActionList("a=b=c, =resize ,b=, c = d")]).toEqual([["a", "b=c"], ["resize", ""], ["b", ""], ["c ", " d"]]);
  });

  test("an override is a file name", () => {
    expect([overrideOf(parseActionList("a=../x"), "a"), overrideOf(parseActionList("a=.."), "a"), overrideOf(parseActionList("a="), "a")]).toEqual([undefined, undefined, undefined]);
  });
});

describe("the start", () => {
  const files = (texts: Readonly<Record<string, string>>) => ({
    isDirectory: () => true, exists: () => true, isExecutable: () => true, names: () => [],
    findBytes: (path: string) => (texts[path] === undefined ? undefined : Buffer.from(texts[path])),
  });

  test("rc files win over the environment, the later one over the earlier", () => {
    const found = files({ "/one/etc/defaultrc": "PRIORITY=5\nA=1\n", "/one/etc/vmm_exec/vmm_execrc": 'A=2\nLIVE_DISK_SNAPSHOTS="kvm-ceph  kvm-ssh"\n' });
    const environment = environmentOf({ ONE_LOCATION: "/one", A: "0", B: "0" }, found);
    expect(environment).toEqual({ ONE_LOCATION: "/one", A: "2", B: "0", PRIORITY: "5", LIVE_DISK_SNAPSHOTS: "kvm-ceph  kvm-ssh" });
    expect([...settingsOf(parseOptions(["kvm"]), environment, found).liveDiskSnapshots]).toEqual(["kvm-ceph", "kvm-ssh"]);
  });

  test("a front-end without any of its files works with the defaults", () => {
    const settings = settingsOf(parseOptions(["kvm"]), {}, files({}));
    expect(settings).toMatchObject({ remoteDirectory: "/var/tmp/one", release: undefined, places: { remotes: "/var/lib/one/remotes" }, connectSeconds: 10 });
  });

  test("PRIORITY is 19 unless it says a number", () => {
    expect([undefined, "", "5", "x", "99"].map((text) => priorityOf(text === undefined ? {} : { PRIORITY: text }))).toEqual([19, 19, 5, 19, 19]);
  });
});

describe("launchers", () => {
  test("one_vmm_sh adds its local actions, and the administrator's own list replaces them", () => {
    expect(listed(parseOptions(argumentsFor("one_vmm_sh", ["-t 15 kvm"])).local, "deploy")).toBe(true);
    expect(listed(parseOptions(argumentsFor("one_vmm_sh", ["-t 15 kvm"])).local, "exec")).toBe(false);
    expect([...parseOptions(argumentsFor("one_vmm_sh", ["-l poll kvm"])).local.keys()]).toEqual(["poll"]);
    expect(argumentsFor("one_vmm_ssh", ["-t 15 kvm"])).toEqual(["-t 15 kvm"]);
  });

  test("are shell files that any sh accepts, and say to oned when there is nothing to start", async () => {
    for (const { name, text, mode } of driverLaunchers("/nowhere/onevirt")) {
      const run = Bun.spawn(["sh", "-c", text, `/nowhere/${name}`, "-t 15 kvm"], { env: { PATH: process.env.PATH ?? "", ONE_LOCATION: "/nowhere" }, stdout: "pipe", stderr: "ignore" });
      expect([mode, await new Response(run.stdout).text(), await run.exited]).toEqual([0o755, "INIT FAILURE - onevirt is not installed\n", 1]);
    }
  });

  test("give oned's one argument on as one", async () => {
    const launcher = driverLaunchers("/nowhere/onevirt").find(({ name }) => name === "one_vmm_sh");
    const run = Bun.spawn(["sh", "-c", launcher?.text ?? "", "/nowhere/one_vmm_sh", "-t 15 -r 0 kvm -p"], { env: { PATH: process.env.PATH ?? "", ONEVIRT: "/bin/echo" }, stdout: "pipe" });
    expect(await new Response(run.stdout).text()).toBe("driver --called one_vmm_sh -t 15 -r 0 kvm -p\n");
  });
});
