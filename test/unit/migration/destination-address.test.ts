import { describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findAddress, isLoopback, lookUpCommand, needsOwnName, ownNameCommand } from "../../../src/migration/destination-address.ts";
import { readMigrationOptions } from "../../../src/migration/option-reader.ts";
import { given } from "../../fakes/world.ts";
import { outcomeOf } from "../actions/outcome-of.ts";
import { namesItself } from "./named-host.ts";

const options = (...words: string[]) => readMigrationOptions(words, { autoConverge: "", compressed: "" });

describe("the address of a destination", () => {
  test("is its own name, and each address that this host knows of it, once", async () => {
    using world = given();
    namesItself(world, "hostb", "hostb.example", ["10.0.0.2", "fd00::2"]);
    expect(await findAddress("hostb", world)).toEqual({ name: "hostb.example", addresses: ["10.0.0.2", "fd00::2"] });
  });

  test("has no addresses when this host does not know the name, and is an error when nobody can tell", async () => {
    using world = given();
    namesItself(world, "hostb", "hostb", []);
    expect(await findAddress("hostb", world)).toEqual({ name: "hostb", addresses: [] });
    world.commands.on(lookUpCommand("hostb").join(" "), { exitCode: 1, stderr: "no database" });
    expect(await outcomeOf(findAddress("hostb", world))).toEqual(["COMMAND_FAILED", 'Cannot look up "hostb": no database']);
    world.commands.on(ownNameCommand("hostb", world.settings).join(" "), { exitCode: 255, stderr: "ssh: no route" });
    expect(await outcomeOf(findAddress("hostb", world))).toEqual(["COMMAND_FAILED", "Cannot ask hostb for its name: ssh: no route"]);
  });

  test("17.1 row 3: a name that is not plain goes no further", async () => {
    for (const name of ["", "-x", "a b", "$(id)", "a/b", "a\nb"]) {
      using world = given();
      world.commands.on(ownNameCommand("hostb", world.settings).join(" "), { stdout: `${name}\n` });
      expect([name, await outcomeOf(findAddress("hostb", world)), world.commands.calls.length]).toEqual([name, ["COMMAND_FAILED", "Cannot ask hostb for its name: it gives none that is plain"], 1]);
    }
  });

  test("is asked for within a time of its own", async () => {
    using world = given({ limitSeconds: null });
    let seconds = 0;
    world.commands.on(ownNameCommand("hostb", world.settings).join(" "), (deadline) => ((seconds = deadline.remainingMs() / 1000), { exitCode: 1 }));
    await outcomeOf(findAddress("hostb", world));
    expect(seconds).toBe(10);
  });

  test("matters unless MIGRATE_OPTIONS names one, or the memory goes through libvirt", () => {
    expect([options(), options("--migrateuri", "tcp://10.0.0.2"), options("--p2p", "--tunnelled"), options("--p2p")].map(needsOwnName)).toEqual([true, false, false, true]);
  });

  test("leads back to this host when it is 127.x or ::1", () => {
    expect(["127.0.0.1", "127.0.1.1", "::1", "::ffff:127.0.0.1"].every(isLoopback)).toBe(true);
    expect(["10.127.0.1", "fd00::1", "::11", "128.0.0.1"].some(isLoopback)).toBe(false);
  });

  test.each([
    ["the full name of a short one", "hostb", "echo hostb.example", "hostb.example"],
    ["a name with a domain as it is", "hostb.lan", "echo other.example", "hostb.lan"],
    ["a name that everybody has as it is", "localhost", "echo hostb.example", "localhost"],
    ["the short name when the full one is everybody's", "hostb", "echo localhost.localdomain", "hostb"],
    ["the short name when there is no full one", "hostb", "exit 1", "hostb"],
  ])("is as libvirt makes it: %s", (_what, short, full, name) => {
    const bin = mkdtempSync(join(tmpdir(), "onevirt-name-"));
    try {
      for (const [program, line] of [["uname", `echo ${short}`], ["hostname", full], ["ssh", 'for last; do :; done; eval "$last"']] as const) {
        writeFileSync(join(bin, program), `#!/bin/sh\n${line}\n`);
        chmodSync(join(bin, program), 0o755);
      }
      using world = given();
      const { stdout, exitCode } = Bun.spawnSync([...ownNameCommand("hostb", world.settings)], { env: { PATH: `${bin}:/usr/bin:/bin` } });
      expect([exitCode, stdout.toString()]).toEqual([0, `${name}\n`]);
    } finally {
      rmSync(bin, { recursive: true });
    }
  });
});
