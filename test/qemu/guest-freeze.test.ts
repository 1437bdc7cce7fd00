import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { Guest, lab, on, syncedTree, until } from "../support/lab.ts";

const MINUTE = 60_000;
const ONEVIRT = "/var/tmp/one/onevirt/onevirt-$(uname -m)";
let tree = "";
let guest: Guest;

beforeAll(async () => {
  tree = await syncedTree(["hosta"]);
  guest = await Guest.make(221);
  await guest.deploy("hosta");
  await guest.ready("hosta");
}, 2 * MINUTE);
afterAll(async () => {
  await guest.remove("hosta");
  rmSync(tree, { recursive: true, force: true });
});

/** The lab's guest has no file system that could be frozen: what it was asked for is seen in the state that is kept. */
const status = async () => ((await on("hosta", `cat /var/tmp/one_db/onevirt/frozen-${guest.uuid}.json`)).stdout.includes("token") ? "frozen" : "thawed");
const freeze = (options = "") => on("hosta", `${ONEVIRT} guest freeze one-221 ${options}`);

describe("onevirt guest freeze", () => {
  test("freezes, and thaw ends it", async () => {
    expect(await freeze()).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/file systems are frozen, for 60 s at most; token [0-9a-f]{16}/) });
    expect(await status()).toBe("frozen");
    expect((await on("hosta", `${ONEVIRT} guest thaw one-221`)).exitCode).toBe(0);
    expect(await status()).toBe("thawed");
  }, MINUTE);

  test("thaws by itself after its time", async () => {
    await freeze("--seconds 6");
    expect(await status()).toBe("frozen");
    await until("it is thawed", async () => (await status()) === "thawed", 40);
  }, MINUTE);

  test("thaws when the caller is killed", async () => {
    const { stdout } = await on("hosta", `sleep 1000 >/dev/null 2>&1 & echo $!; ${ONEVIRT} guest freeze one-221 --seconds 50 --pid $! >/dev/null`);
    const caller = stdout.trim();
    expect(await status()).toBe("frozen");
    await on("hosta", `kill -9 ${caller}`);
    await until("it is thawed", async () => (await status()) === "thawed", 40);
  }, MINUTE);

  test("thaws although libvirtd is away when its time comes", async () => {
    const { stdout } = await freeze("--seconds 10");
    await lab("stop-daemon", "hosta");
    try {
      const watch = `[g]uest thaw ${guest.uuid} --token ${/token (\w+)/.exec(stdout)?.[1] ?? ""}`;
      await until("its time has come", async () => Number((await on("hosta", `ps -o etimes= -p $(pgrep -o -f '${watch}')`)).stdout) > 13, 40);
      expect(await status()).toBe("frozen"); // it asks, and nobody answers
    } finally {
      await lab("start-daemon", "hosta");
    }
    await until("it is thawed", async () => (await status()) === "thawed", 60);
  }, MINUTE);

  test("of a guest without an agent is one clear error", async () => {
    const deaf = (await Guest.make(222)).with((xml) => xml.replace(/<channel[\s\S]*?<\/channel>/, ""));
    try {
      await deaf.deploy("hosta");
      const refused = await on("hosta", `${ONEVIRT} guest freeze one-222`);
      expect({ code: refused.exitCode, stderr: refused.stderr }).toEqual({ code: 1, stderr: expect.stringContaining("QEMU guest agent is not configured") });
    } finally {
      await deaf.remove("hosta");
    }
  }, MINUTE);
});
