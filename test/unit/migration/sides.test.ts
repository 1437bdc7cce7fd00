import { describe, expect, test } from "bun:test";
import type { DomainState } from "../../../src/core/states.ts";
import { isSettled, type Owner, ownerOf, type SideView, viewOf } from "../../../src/migration/sides.ts";

const status = (state: DomainState, reason = 0) => viewOf({ name: "one-7", uuid: "u", id: 1, state, reason });
const running = status("running");
const paused = status("paused", 2);
const absent = viewOf(undefined);
const defined = status("shutoff");
const unknown: SideView = { now: "unknown", words: "no answer" };

describe("who runs the VM", () => {
  test.each<[string, SideView, SideView, Owner]>([
    ["source runs, destination has nothing", running, absent, "source"], ["source runs, destination has a definition", running, defined, "source"], ["source runs, destination waits for memory", running, paused, "source"],
    ["source runs, destination is silent", running, unknown, "source"], ["source is gone, destination runs", absent, running, "destination"], ["source is gone, destination is paused", absent, paused, "destination"],
    ["source is paused, destination runs", paused, running, "destination"], ["source is silent, destination runs", unknown, running, "destination"], ["source is paused, destination has nothing", paused, absent, "source"],
    ["both are paused", paused, paused, "between"], ["both run, because somebody let them", running, running, "between"], ["nobody has it", absent, absent, "neither"], ["both have only a definition", defined, defined, "neither"],
    ["source is gone, destination is silent", absent, unknown, "unknown"], ["source is paused, destination is silent", paused, unknown, "unknown"], ["source is silent, destination has nothing", unknown, absent, "unknown"],
    ["source is silent, destination is paused", unknown, paused, "unknown"], ["both are silent", unknown, unknown, "unknown"],
  ])("%s", (_what, source, destination, owner) => {
    expect(ownerOf({ source, destination })).toBe(owner);
  });

  test("only two answers that agree end the asking", () => {
    expect([isSettled({ source: running, destination: absent }), isSettled({ source: running, destination: paused }), isSettled({ source: absent, destination: unknown })]).toEqual([true, false, false]);
  });
});
