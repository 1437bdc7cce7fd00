import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseMounts } from "../../../src/codec/kernel-text.ts";
import { Deadline } from "../../../src/core/deadline.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { mayHang } from "../../../src/host/mount-risk.ts";
import { HostStorage, type StorageThread } from "../../../src/host/storage.ts";
import { askStorage, type StorageMessage } from "../../../src/host/storage-questions.ts";

const soon = () => Deadline.after(0.05, systemClock);

/** A thread that answers at once, or only when it is told to. */
function thread(answers: boolean): StorageThread & { answerLate(): void; readonly got: StorageMessage[] } {
  const got: StorageMessage[] = [];
  const self: ReturnType<typeof thread> = {
    got, onmessage: null, onerror: null,
    unref: () => undefined,
    answerLate: () => self.onmessage?.({ data: askStorage(got.at(-1) as StorageMessage) } as MessageEvent),
    postMessage: (message) => {
      got.push(message);
      if (answers) queueMicrotask(() => self.answerLate());
    },
  };
  return self;
}

function mountTable(directory: string, foreign: string): string {
  const path = join(directory, "mounts");
  writeFileSync(path, `/dev/sda1 / ext4 rw 0 0\nserver:/x ${foreign} nfs4 rw 0 0\n`);
  return path;
}

describe("storage", () => {
  test("asks this machine's own disks directly, and says nothing of what is not there", async () => {
    const directory = mkdtempSync(join(tmpdir(), "storage-"));
    const storage = new HostStorage(() => { throw new Error("no thread is needed"); }, mountTable(directory, "/nowhere"));
    writeFileSync(join(directory, "a"), "text");
    expect(await storage.text(join(directory, "a"), soon())).toBe("text");
    expect(await storage.text(join(directory, "b"), soon())).toBeUndefined();
    expect(await storage.names(join(directory, "b"), soon())).toEqual([]);
    expect(await storage.look(join(directory, "a"), soon())).toMatchObject({ kind: "file", bytes: 4 });
    expect((await storage.space(directory, soon()))?.total).toBeGreaterThan(0);
    expect(await storage.allocated(directory, soon())).toBeGreaterThanOrEqual(4096);
  });

  test("leaves a server behind that does not answer, does not ask it again until it does, and asks others meanwhile", async () => {
    const directory = mkdtempSync(join(tmpdir(), "storage-"));
    const foreign = join(directory, "nfs");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "dead"), "late");
    writeFileSync(join(foreign, "alive"), "now");
    const threads = [thread(false), thread(true), thread(true)];
    let started = 0;
    const storage = new HostStorage(() => threads[started++] as StorageThread, mountTable(directory, foreign));
    await expect(storage.text(join(foreign, "dead"), soon())).rejects.toMatchObject({ code: "TIMED_OUT" });
    await expect(storage.text(join(foreign, "dead"), soon())).rejects.toMatchObject({ code: "TIMED_OUT" });
    expect(started).toBe(1);
    expect(await storage.text(join(foreign, "alive"), soon())).toBe("now");
    expect(await storage.text(join(foreign, "alive"), soon())).toBe("now");
    expect(started).toBe(2); // the thread that answered is used again
    threads[0]?.answerLate();
    expect(await storage.text(join(foreign, "dead"), soon())).toBe("late");
  });
});

describe("mounts", () => {
  const table = parseMounts("/dev/sda1 / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\nserver:/x /mnt/ds\\040one nfs4 rw 0 0\nsshfs /var/lib/one/datastores/7 fuse.sshfs rw 0 0\n");

  test.each([
    ["/var/lib/one/datastores/0", {}, false],
    ["/var/lib/one/datastores/7/.monitor", {}, true],
    ["/var/lib/one/datastores/70", {}, false],
    ["/mnt/ds one/x", {}, true],
    ["/var/lib/one/datastores/8/x", { "/var/lib/one/datastores/8": "/mnt/ds one/8" }, true],
    ["/var/lib/one/datastores/9/x", { "/var/lib/one/datastores/9": "../../../../srv/9" }, false],
    ["/loop/x", { "/loop": "/loop" }, true],
  ] as const)("%s with links %j: %p", (path, links, expected) => {
    expect(mayHang(path, table, (place) => (links as Record<string, string>)[place])).toBe(expected);
  });

  test("a path is never followed into what may hang", () => {
    const asked: string[] = [];
    mayHang("/mnt/ds one/a/b", table, (place) => void asked.push(place));
    expect(asked).toEqual(["/mnt"]);
  });
});

