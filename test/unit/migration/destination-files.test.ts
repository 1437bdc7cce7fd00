import { describe, expect, test } from "bun:test";
import { OnevirtError } from "../../../src/core/errors.ts";
import { DestinationFiles } from "../../../src/migration/destination-files.ts";
import { given } from "../../fakes/world.ts";

const SSH = "ssh -o BatchMode=yes -o ControlMaster=no -o ControlPath=none -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4";
const at = (line: string) => `${SSH} hostb ${line}`;

describe("files on the destination", () => {
  test("a program never asks, uses no connection of others, and gives up when the host has died", async () => {
    using world = given();
    world.commands.on(at("'mkdir' '-p' '--' '/ds/7'"), {}).on(`rsync -az -s -e ${SSH} -- /ds/7/vm.xml hostb:/ds/7/`, {});
    const there = new DestinationFiles("hostb", world);
    await there.makeDirectory("/ds/7");
    await there.send(["/ds/7/vm.xml"], "/ds/7");
    expect(world.commands.calls.length).toBe(2);
  });

  test("an answer that ssh could not get is an error, never a file that is not there", async () => {
    using world = given();
    world.commands.on(at("'test' '-e' '/a' '-o' '-L' '/a'"), { exitCode: 255, stderr: "ssh: connect to host hostb port 22: Connection refused\n" });
    const error = await new DestinationFiles("hostb", world).exists("/a").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(OnevirtError);
    expect(error).toMatchObject({ code: "COMMAND_FAILED", message: 'Cannot look at "/a" on hostb: ssh: connect to host hostb port 22: Connection refused', hint: 'try "ssh hostb true" as oneadmin on this host' });
  });

  test("what was made is taken back, files at once, directories last made first and only when empty", async () => {
    using world = given();
    const lines = ["'rm' '-f' '--' '/ds/7/disk.0' '/ds/7/disk.1.snap/0'", "'rmdir' '--' '/ds/7/disk.1.snap/'", "'rmdir' '--' '/ds/7/'"];
    for (const line of lines) world.commands.on(at(line), line.includes("rmdir") ? { exitCode: 1, stderr: "Directory not empty" } : {});
    await new DestinationFiles("hostb", world).remove(["/ds/7/", "/ds/7/disk.0", "/ds/7/disk.1.snap/", "/ds/7/disk.1.snap/0"]);
    expect(world.commands.calls).toEqual(lines.map(at));
  });

  test("an address of IPv6 is not taken for a path by rsync", async () => {
    using world = given();
    world.commands.on(`rsync -az -s -e ${SSH} -- /a [fd00::2]:/ds/7/`, {});
    await new DestinationFiles("fd00::2", world).send(["/a"], "/ds/7");
    expect(world.commands.calls.length).toBe(1);
  });
});
