import { describe, expect, test } from "bun:test";
import { findAddress, isLoopback, lookUpCommand, needsOwnName } from "../../../src/migration/destination-address.ts";
import { readMigrationOptions } from "../../../src/migration/option-reader.ts";
import { given } from "../../fakes/world.ts";
import { outcomeOf } from "../actions/outcome-of.ts";
import { namesItself } from "./named-host.ts";

const options = (...words: string[]) => readMigrationOptions(words, { autoConverge: "", compressed: "" });

describe("the address of a destination", () => {
  test("is its own name, and each address that this host knows of it, once", async () => {
    using world = given();
    namesItself(world, world.hypervisor, "hostb.example", ["10.0.0.2", "fd00::2"]);
    expect(await findAddress("hostb", world.hypervisor, world)).toEqual({ name: "hostb.example", addresses: ["10.0.0.2", "fd00::2"] });
  });

  test("has no addresses when this host does not know the name, and is an error when nobody can tell", async () => {
    using world = given();
    namesItself(world, world.hypervisor, "hostb", []);
    expect(await findAddress("hostb", world.hypervisor, world)).toEqual({ name: "hostb", addresses: [] });
    world.commands.on(lookUpCommand("hostb").join(" "), { exitCode: 1, stderr: "no database" });
    expect(await outcomeOf(findAddress("hostb", world.hypervisor, world))).toEqual(["COMMAND_FAILED", 'Cannot look up "hostb": no database']);
    world.hypervisor.fails("node.hostname", "LIBVIRT_FAILED");
    expect(await outcomeOf(findAddress("hostb", world.hypervisor, world))).toEqual(["LIBVIRT_FAILED", "Cannot node.hostname: scripted LIBVIRT_FAILED"]);
  });

  test("17.1 row 3: a name that is not plain goes no further", async () => {
    for (const name of ["", "-x", "a b", "$(id)", "a/b", "a\nb"]) {
      using world = given();
      world.hypervisor.parts.hostname = name;
      expect([name, await outcomeOf(findAddress("hostb", world.hypervisor, world)), world.commands.calls]).toEqual([name, ["COMMAND_FAILED", "Cannot ask hostb for its name: it gives none that is plain"], []]);
    }
  });

  test("is asked for within a time of its own", async () => {
    using world = given({ limitSeconds: null });
    let seconds = 0;
    world.hypervisor.next("node.hostname", async (_proceed, deadline) => ((seconds = deadline.remainingMs() / 1000), "-"));
    await outcomeOf(findAddress("hostb", world.hypervisor, world));
    expect(seconds).toBe(10);
  });

  test("matters unless MIGRATE_OPTIONS names one, or the memory goes through libvirt", () => {
    expect([options(), options("--migrateuri", "tcp://10.0.0.2"), options("--p2p", "--tunnelled"), options("--p2p")].map(needsOwnName)).toEqual([true, false, false, true]);
  });

  test("leads back to this host when it is 127.x or ::1", () => {
    expect(["127.0.0.1", "127.0.1.1", "::1", "::ffff:127.0.0.1"].every(isLoopback)).toBe(true);
    expect(["10.127.0.1", "fd00::1", "::11", "128.0.0.1"].some(isLoopback)).toBe(false);
  });
});
