import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Directory } from "../../../src/remotes/directory.ts";
import { changeAll, isNameOfChange, preferringRoom, removeWaitingBelow, Transaction, TURN } from "../../../src/remotes/transaction.ts";

let top: string;
let directory: Directory;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), "onevirt-transaction-")));
  directory = Directory.open(top);
  for (const name of ["a", "b"]) writeFileSync(join(top, name), `old ${name}`);
});
afterEach(() => {
  directory[Symbol.dispose]();
  rmSync(top, { recursive: true });
});

const place = (transaction: Transaction, name: string, text: string, mtimeNs?: bigint) => transaction.place({ directory, name, mode: 0o640, owner, mtimeNs, turn: TURN.tree, write: (fd) => void writeSync(fd, text) });
const texts = () => Object.fromEntries(readdirSync(top).sort().map((name) => [name, lstatSync(join(top, name)).isFile() ? readFileSync(join(top, name), "utf8") : "directory"]));
const inodes = () => Object.fromEntries(["a", "b"].map((name) => [name, lstatSync(join(top, name)).ino]));

describe("Transaction", () => {
  test("commit() puts, replaces and removes, with mode and time", () => {
    const transaction = new Transaction();
    expect(place(transaction, "a", "new a", 1720000000123456789n)).toMatchObject({ mode: 0o640, mtimeNs: 1720000000123456789n, size: 5 });
    place(transaction, "c", "new c");
    transaction.remove(directory, "b", TURN.end);
    transaction.makeDirectory(directory, "d", 0o700, owner)[Symbol.dispose]();
    transaction.commit();
    expect(texts()).toEqual({ a: "new a", c: "new c", d: "directory" });
    expect(lstatSync(join(top, "a"), { bigint: true }).mtimeNs).toBe(1720000000123456789n);
    expect(lstatSync(join(top, "a")).mode & 0o7777).toBe(0o640);
  });

  test("nothing changes before commit(), and rollback() leaves nothing", () => {
    const before = inodes();
    const transaction = new Transaction();
    place(transaction, "a", "new a");
    transaction.makeDirectory(directory, "d", 0o700, owner)[Symbol.dispose]();
    expect(inodes()).toEqual(before);
    transaction.rollback();
    expect([texts(), inodes()]).toEqual([{ a: "old a", b: "old b" }, before]);
  });

  test("one change that fails takes all others back, to the same files", () => {
    mkdirSync(join(top, "full"));
    writeFileSync(join(top, "full/x"), "");
    const before = inodes();
    const transaction = new Transaction();
    place(transaction, "a", "new a");
    place(transaction, "c", "new c");
    transaction.remove(directory, "b", TURN.tree);
    place(transaction, "full", "a directory cannot be replaced");
    expect(() => transaction.commit()).toThrow(expect.objectContaining({ code: "FILE_FAILED" }));
    expect([texts(), inodes(), lstatSync(join(top, "a")).nlink]).toEqual([{ a: "old a", b: "old b", full: "directory" }, before, 1]);
  });

  test("a file that cannot be written is not left half", () => {
    const transaction = new Transaction();
    const write = () => { throw Object.assign(new Error("full"), { code: "ENOSPC" }); };
    expect(() => transaction.place({ directory, name: "c", mode: 0o640, owner, turn: TURN.tree, write })).toThrow(`Cannot write "${top}/c": no space left on the device`);
    transaction.rollback();
    expect(texts()).toEqual({ a: "old a", b: "old b" });
  });

  test("files wait in the waiting room, so nobody meets a strange name in the tree", () => {
    mkdirSync(join(top, "room"));
    using room = directory.child("room");
    const transaction = new Transaction();
    transaction.waitingRoom = room;
    place(transaction, "a", "new a");
    transaction.remove(directory, "b", TURN.tree);
    expect([readdirSync(top).sort(), readdirSync(join(top, "room")).length]).toEqual([["a", "b", "room"], 1]);
    transaction.commit();
    expect([texts(), readdirSync(join(top, "room"))]).toEqual([{ a: "new a", room: "directory" }, []]);
  });

  test("preferringRoom() does without a waiting room on another file system", () => {
    using elsewhere = Directory.open("/dev/shm");
    const attempts: boolean[] = [];
    preferringRoom((hasRoom) => changeAll((transaction) => {
      attempts.push(hasRoom);
      if (hasRoom) transaction.waitingRoom = elsewhere;
      place(transaction, "a", "new a");
      transaction.remove(directory, "b", TURN.tree);
    }));
    expect([attempts, texts(), elsewhere.names().filter(isNameOfChange)]).toEqual([[true, false], { a: "new a" }, []]);
  });

  test("removeWaitingBelow() removes what a crash left, and nothing else", () => {
    place(new Transaction(), "a", "never committed");
    mkdirSync(join(top, "inner/empty"), { recursive: true });
    writeFileSync(join(top, ".onevirt-note"), "somebody's");
    expect(readdirSync(top).filter(isNameOfChange)).toHaveLength(1);
    removeWaitingBelow(directory);
    expect(texts()).toEqual({ ".onevirt-note": "somebody's", a: "old a", b: "old b" });
  });
});

describe("Directory", () => {
  test("stays the same directory when its name becomes a link", () => {
    mkdirSync(join(top, "inner"));
    mkdirSync(join(top, "victim"));
    using inner = directory.child("inner");
    directory.rename("inner", "moved");
    symlinkSync("victim", join(top, "inner"));
    const transaction = new Transaction();
    transaction.place({ directory: inner as Directory, name: "x", mode: 0o600, owner, turn: TURN.tree, write: () => {} });
    transaction.commit();
    expect([readdirSync(join(top, "victim")), readdirSync(join(top, "moved"))]).toEqual([[], ["x"]]);
    expect(() => directory.child("inner")).toThrow(/symbolic link/);
    expect(() => Directory.open(join(top, "inner"))).toThrow(/symbolic link/);
  });

  test.each([[""], ["."], [".."], ["a/b"], ["/etc/passwd"], ["a\0"]])("refuses the name %j", (name) => {
    expect(() => directory.find(name)).toThrow(/no plain file name/);
  });

  test("openFile() opens regular files only, and waits for nothing", () => {
    symlinkSync("a", join(top, "link"));
    expect(Bun.spawnSync(["mkfifo", join(top, "fifo")]).exitCode).toBe(0);
    expect(() => directory.openFile("link")).toThrow(/it is a symbolic link/);
    expect(() => directory.openFile("fifo")).toThrow(/no regular file/);
    expect(() => directory.openFile("none")).toThrow(/no such file/);
  });
});
