import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentWords, endAgents, otherAgents, type AgentIdentity } from "../../../src/host/other-agents.ts";

/** A tree that has two names, and a false /proc with these command lines by pid. */
function host(lines: Readonly<Record<number, readonly string[]>> = {}) {
  const top = mkdtempSync(join(tmpdir(), "agents-"));
  for (const driver of ["kvm", "qemu"]) mkdirSync(join(top, "real/im", `${driver}.d`), { recursive: true });
  symlinkSync(join(top, "real"), join(top, "tree"));
  const proc = join(top, "proc");
  mkdirSync(proc);
  const put = (pid: string, words: readonly string[]) => {
    mkdirSync(join(proc, pid));
    writeFileSync(join(proc, pid, "cmdline"), words.map((word) => `${word}\0`).join(""));
  };
  for (const [pid, words] of Object.entries(lines)) put(pid, words.map((word) => word.replace("TREE", join(top, "tree")).replace("REAL", join(top, "real"))));
  const identity: AgentIdentity = { tree: join(top, "tree"), driver: "kvm", hostId: 3, hostName: "host1" };
  return { identity, proc };
}

test("agentWords() hold the text that upstream's control script looks for, with the path as the launcher has it", () => {
  expect(agentWords({ tree: "/var/tmp/one", driver: "qemu", hostId: 3, hostName: "h" }).join(" ")).toBe("/var/tmp/one/im/qemu.d/monitord-client.rb qemu 3 h");
});

test("otherAgents() finds upstream's and ours, of both drivers and by either name of the tree, and nobody else", () => {
  const { identity, proc } = host({
    11: ["ruby", "TREE/im/kvm.d/monitord-client.rb", "kvm", "3", "host1"],
    12: ["/x/onevirt", "agent", "run", "REAL/im/kvm.d/monitord-client.rb", "kvm", "3", "host1"],
    13: ["ruby", "TREE/im/qemu.d/monitord-client.rb", "qemu", "3", "host1"],
    14: ["ruby", "TREE/im/kvm.d/monitord-client.rb", "kvm", "3", "host10"],
    15: ["ruby", "TREE/im/kvm.d/monitord-client.rb", "kvm", "33", "host1"],
    16: ["ruby", "/elsewhere/im/kvm.d/monitord-client.rb", "kvm", "3", "host1"],
    17: ["grep", "monitord-client.rb kvm 3 host1"],
    18: ["/x/onevirt", "agent", "start", "kvm", "3", "host1"],
    19: [],
    [process.pid]: ["ruby", "TREE/im/kvm.d/monitord-client.rb", "kvm", "3", "host1"],
  });
  expect([...otherAgents(identity, proc)].sort()).toEqual([11, 12, 13]);
});

test("endAgents() ends a real process that shows these words, though it does not listen to TERM", async () => {
  const { identity } = host();
  const script = join(identity.tree, "im/kvm.d/monitord-client.rb");
  writeFileSync(script, "trap '' TERM; echo ready; read -r never\n"); // starts no process, which would show the same words until its exec
  const child = Bun.spawn({ cmd: ["sh", ...agentWords(identity)], stdin: "pipe", stdout: "pipe" });
  await child.stdout.getReader().read();
  expect([otherAgents(identity), await endAgents(identity), await child.exited, otherAgents(identity)]).toEqual([[child.pid], [], 137, []]);
});
