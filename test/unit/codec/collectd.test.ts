import { describe, expect, test } from "bun:test";
import { inflateSync } from "node:zlib";
import { readCollectdArguments } from "../../../src/codec/collectd-arguments.ts";
import { collectdMessage, REDUCTIONS } from "../../../src/codec/collectd-message.ts";

describe("collectdMessage()", () => {
  test("collectdMessage() is one line that oned inflates to the same bytes", () => {
    const text = `A=1\nB="ä\u{1f600}"\n${"C=2\n".repeat(5000)}`;
    const [word, status, id, payload = "", ...more] = collectdMessage({ hostId: 7, success: false, text }).slice(0, -1).split(" ");
    expect([word, status, id, more, inflateSync(Buffer.from(payload, "base64")).toString()] as unknown[]).toEqual(["MONITOR", "FAILURE", "7", [], text]);
    expect(collectdMessage({ hostId: 7, success: true, text })).toMatch(/^MONITOR SUCCESS 7 [A-Za-z0-9+/=]+\n$/);
  });
});

describe("REDUCTIONS", () => {
  const text = `ARCH=x86_64
VM=[ID=4,POLL="DISK_SIZE=[ID=0,SIZE=3] SNAPSHOT_SIZE=[ID=1,DISK_ID=0,SIZE=1] "]
VM_POLL=YES
VM=[
  ID=-1,
  DEPLOY_ID=u,
  VM_NAME="a]b",
  IMPORT_TEMPLATE="eA==",
  POLL="STATE=a CPU=0.0 MEMORY=9 VM_NAME=a]b" ]
VM=[
  ID=4,
  DEPLOY_ID=one-4,
  POLL="STATE=a MEMORY=8 NETRX=1 NETTX=2 DISKRDBYTES=3" ]
VERSION="5.6.0"
`;
  const after = (count: number) => REDUCTIONS.slice(0, count).reduce((rest, { reduce }) => reduce(rest), text);

  test("REDUCTIONS take templates first, then numbers, then sizes, and no host fact ever", () => {
    expect([after(1).includes("IMPORT_TEMPLATE"), after(2).match(/POLL="STATE.*"/g), after(3).includes("DISK_SIZE")] as unknown[]).toEqual([false, ['POLL="STATE=a CPU=0.0 MEMORY=9"', 'POLL="STATE=a MEMORY=8"'], false]);
  });

  test("REDUCTIONS take the claim to be complete together with the VMs", () => {
    expect(after(REDUCTIONS.length)).toBe('ARCH=x86_64\nVERSION="5.6.0"\n');
  });
});

describe("readCollectdArguments()", () => {
  const right = ["kvm", "/var/lib/one//datastores", "4124", "60", "3", "host.domain"];

  test("readCollectdArguments() reads what run_probes gives to the control and to a probe, and upstream's interval for none", () => {
    const expected = { driver: "kvm", datastoreLocation: "/var/lib/one//datastores", port: 4124, intervalSeconds: 60, hostId: 3, hostName: "host.domain" } as const;
    expect([readCollectdArguments(right), readCollectdArguments(["qemu-probes", ...right.slice(1)]), readCollectdArguments(right.with(3, "0")).intervalSeconds] as unknown[]).toEqual([expected, { ...expected, driver: "qemu" }, 20]);
  });

  test.each([[0, "lxd"], [0, ""], [1, "datastores"], [1, "/a\nb"], [2, "0"], [2, "65536"], [2, "x"], [3, "-1"], [3, "1.5"], [4, ""], [4, "3;id"], [5, ""], [5, "a b"]])("readCollectdArguments() refuses word %p as %p, and names it", (index, word) => {
    expect(() => readCollectdArguments(right.with(index, word))).toThrow(JSON.stringify(word));
  });
});
