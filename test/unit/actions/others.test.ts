import { describe, expect, test } from "bun:test";
import { run as reboot } from "../../../src/actions/reboot.ts";
import { run as reset } from "../../../src/actions/reset.ts";
import type { Action } from "../../../src/actions/action.ts";
import { actions, findAction } from "../../../src/actions/table.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { OWN, VARIABLES } from "../../../src/core/settings.ts";
import { readArguments } from "../../../src/run-action.ts";
import { given } from "../../fakes/world.ts";
import { UUID } from "./document.ts";

const VM = { name: "one-7", uuid: UUID };
const input = { arguments: { "deploy-id": "one-7" }, stdin: "" };

async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then((answer) => ({ answer }), (error: unknown) => (error instanceof OnevirtError ? [error.code, error.message] : error));
}

describe.each([["reboot", reboot], ["reset", reset]] as const)("%s", (name, run) => {
  test(`${name} passes the request on, under the lock`, async () => {
    using world = given({ domains: [VM] });
    expect([await outcomeOf(run(input, world)), world.hypervisor.calls, world.locks.calls]).toEqual([{ answer: "" }, ["find one-7", `${name} ${UUID}`], [`lock ${UUID} for ${name}`, `unlock ${UUID}`]]);
  });

  test(`${name} of a domain that is gone, or off, is an error`, async () => {
    using gone = given();
    using off = given({ domains: [{ ...VM, state: "shutoff", persistent: true }] });
    expect([await outcomeOf(run(input, gone)), ((await outcomeOf(run(input, off))) as string[])[0]]).toEqual([["DOMAIN_NOT_FOUND", 'there is no domain "one-7" on fake:///default'], "INVALID_STATE"]);
  });

  test(`${name} without an answer is outcome unknown: libvirt does not tell whether a guest restarted`, async () => {
    using world = given({ domains: [VM] });
    world.hypervisor.hangs(name, "at once");
    expect(((await outcomeOf(run(input, world))) as string[])[0]).toBe("OUTCOME_UNKNOWN");
  });

  test(`${name} waits for another action`, async () => {
    using world = given({ domains: [VM], limitSeconds: 3 });
    world.locks.hold(UUID, "one-7", "shutdown");
    expect([await outcomeOf(run(input, world)), world.hypervisor.calls]).toEqual([["BUSY", 'Cannot lock "one-7": "shutdown" is in progress'], ["find one-7"]]);
  });
});

describe("readArguments()", () => {
  const read = (name: keyof typeof actions, argv: readonly string[]) => {
    try {
      return readArguments(actions[name], name, argv);
    } catch (error) {
      return error instanceof OnevirtError ? `${error.code}: ${error.message} | ${error.hint}` : error;
    }
  };
  const USAGE = "usage: shutdown deploy-id [host] [vmid] [host-again]";
  const cases: [string, keyof typeof actions, string[], unknown][] = [
    ["all that oned gives", "shutdown", ["one-7", "h", "7", "h"], { "deploy-id": "one-7", host: "h", vmid: "7", "host-again": "h" }],
    ["the least", "shutdown", ["one-7"], { "deploy-id": "one-7" }],
    ["words that look like options, as they are", "shutdown", ["-h", "--help", "-5"], { "deploy-id": "-h", host: "--help", vmid: "-5" }],
    ["empty optional words", "shutdown", ["one-7", "", "7", ""], { "deploy-id": "one-7", host: "", vmid: "7", "host-again": "" }],
    ["no word", "shutdown", [], `BAD_ARGUMENT: the argument deploy-id is missing | ${USAGE}`],
    ["an empty word where one is needed", "shutdown", ["", "h"], `BAD_ARGUMENT: the argument deploy-id is missing | ${USAGE}`],
    ["a word too many", "shutdown", ["one-7", "h", "7", "h", "x"], `BAD_ARGUMENT: 5 arguments were given, at most 4 are expected | ${USAGE}`],
    ["an empty deploy id of a cancel", "cancel", ["", "h", "7", "h"], { "deploy-id": "", host: "h", vmid: "7", "host-again": "h" }],
    ["a cancel without a word", "cancel", [], "BAD_ARGUMENT: the argument deploy-id is missing | usage: cancel deploy-id [host] [vmid] [host-again]"],
    ["a poll of all", "poll", [], {}],
    ["a poll of all as templates", "poll", ["-t"], { "deploy-id": "-t" }],
    ["a deploy without its file", "deploy", [""], "BAD_ARGUMENT: the argument deployment-file is missing | usage: deploy deployment-file [host] [vmid] [host-again]"],
  ];
  test.each(cases)("readArguments() of %s", (_what, name, argv, expected) => {
    expect(read(name, argv)).toEqual(expected as never);
  });
});

describe("words of oned", () => {
  /** Each action with the words that oned 7.x gives it (actions.md 1.4), and what the action must find where. Those that 5.x has get the same there. */
  const words: [keyof typeof actions, string[], Record<string, string>][] = [
    ["deploy", ["/d/deployment.0", "h", "7", "h"], { "deployment-file": "/d/deployment.0", vmid: "7" }],
    ["shutdown", ["D", "h", "7", "h"], { "deploy-id": "D", vmid: "7" }],
    ["cancel", ["", "h", "7", "h"], { "deploy-id": "", vmid: "7" }],
    ["reboot", ["D", "h", "7", "h"], { "deploy-id": "D" }],
    ["reset", ["D", "h", "7", "h"], { "deploy-id": "D" }],
    ["save", ["D", "/d/checkpoint", "h", "7", "h"], { "deploy-id": "D", "checkpoint-file": "/d/checkpoint", vmid: "7" }],
    ["restore", ["/d/checkpoint", "h", "D", "7", "h"], { "checkpoint-file": "/d/checkpoint", "deploy-id": "D", vmid: "7" }],
    ["migrate", ["D", "to", "from", "7", "from"], { "deploy-id": "D", "destination-host": "to", "source-host": "from", vmid: "7" }],
    ["migrate_local", ["D", "to", "from", "7", "from"], { "deploy-id": "D", "destination-host": "to", "source-host": "from", vmid: "7" }],
    ["attach_disk", ["D", "/d/disk.1", "vdb", "1", "PFZNLz4=", "7", "h"], { "deploy-id": "D", "disk-path": "/d/disk.1", target: "vdb", "driver-message": "PFZNLz4=", vmid: "7" }],
    ["detach_disk", ["D", "", "vdb", "1", "7", "h"], { "deploy-id": "D", target: "vdb", vmid: "7" }],
    ["attach_nic", ["D", "02:00:00:00:00:01", "br0", "-", "dummy", "one-7-1", "7", "h"], { "deploy-id": "D", mac: "02:00:00:00:00:01", vmid: "7" }],
    ["detach_nic", ["D", "02:00:00:00:00:01", "7", "h"], { "deploy-id": "D", mac: "02:00:00:00:00:01", vmid: "7" }],
    ["prereconfigure", ["D", "", "7", "h"], { "deploy-id": "D", target: "", vmid: "7" }],
    ["reconfigure", ["D", "hda", "/d/disk.2", "7", "h"], { "deploy-id": "D", target: "hda", "context-path": "/d/disk.2", vmid: "7" }],
    ["resize_disk", ["D", "3", "2048", "PFZNLz4=", "h", "7", "h"], { "deploy-id": "D", "disk-id": "3", size: "2048", "driver-message": "PFZNLz4=", vmid: "7" }],
    ["snapshot_create", ["D", "0", "7", "h"], { "deploy-id": "D", "snapshot-id": "0", vmid: "7" }],
    ["snapshot_delete", ["D", "snap-0", "7", "h"], { "deploy-id": "D", snapshot: "snap-0", vmid: "7" }],
    ["snapshot_revert", ["D", "snap-0", "7", "h"], { "deploy-id": "D", snapshot: "snap-0", vmid: "7" }],
    ["resize", ["D", "7", "h"], { "deploy-id": "D", vmid: "7" }],
    ["exec", ["7", "h", "ls -l", "aGk="], { vmid: "7", command: "ls -l", stdin: "aGk=" }],
    ["exec_cancel", ["7", "h"], { vmid: "7" }],
    ["poll", ["D", "h", "7", "h"], { "deploy-id": "D" }],
  ];

  test.each(words)("readArguments() finds each word of %s in its place", (name, argv, expected) => {
    const found = readArguments(actions[name], name, argv);
    expect(Object.fromEntries(Object.keys(expected).map((key) => [key, found[key]]))).toEqual(expected);
  });

  test("words of oned are known for every action", () => {
    expect(Object.keys(actions).filter((name) => !words.some(([known]) => known === name))).toEqual([]);
  });
});

describe("actions", () => {
  const rows = Object.entries(actions) as [string, Action][];

  test.each(rows)("actions: %s has a sentence, a launcher of its own name, and settings that exist", async (name, row) => {
    const unknown = row.settings.filter((setting) => !Object.hasOwn(VARIABLES, setting) && !Object.hasOwn(OWN, setting));
    const sentence = /^[A-Z].*[^.]$/.test(row.summary);
    const optionalLast = row.arguments.findIndex(({ optional }) => optional) === -1 || row.arguments.slice(row.arguments.findIndex(({ optional }) => optional)).every(({ optional }) => optional);
    expect([row.script, unknown, sentence, optionalLast, typeof (await row.load()).run]).toEqual([`vmm/kvm/${name}`, [], true, true, "function"]);
  });

  test("findAction() knows rows only, not what every object has", () => {
    expect(["deploy", "constructor", "__proto__", "toString", ""].map((name) => findAction(name) !== undefined)).toEqual([true, false, false, false, false]);
  });
});
