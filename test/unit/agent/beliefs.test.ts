import { describe, expect, test } from "bun:test";
import { type Believed, Beliefs } from "../../support/beliefs.ts";

const report = (...vms: readonly (readonly [number, string])[]) => vms.map(([id, state]) => `VM = [ ID="${id}", DEPLOY_ID="u-${id}",  STATE="${state}" ]\n`).join("");
const complete = (...vms: readonly (readonly [number, string])[]) => `SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n${report(...vms)}`;

/** What a VM is believed to be in after reports, each so many ms after an action brought it into a state. */
function after(state: Believed, ...reports: readonly (readonly [number, string])[]): Believed | undefined {
  const beliefs = new Beliefs(100);
  beliefs.begin(1, state, 0);
  for (const [at, text] of reports) beliefs.hear(text, at);
  return beliefs.of(1);
}

describe("Beliefs, the ear of oned that tests have", () => {
  test("hear() ignores what comes too soon after RUNNING was entered or left, and that for ever", () => {
    expect([
      after("RUNNING", [99, report([1, "POWEROFF"])]),
      after("RUNNING", [99, report([1, "POWEROFF"])], [100, report([1, "POWEROFF"])]),
      after("RUNNING", [200, report([1, "SUSPENDED"])], [299, report([1, "RUNNING"])]),
      after("RUNNING", [200, report([1, "SUSPENDED"])], [300, report([1, "RUNNING"])]),
    ]).toEqual(["RUNNING", "POWEROFF", "SUSPENDED", "RUNNING"]);
  });

  test("hear() believes no state that has no meaning for the one before", () => {
    expect([after("SUSPENDED", [200, report([1, "POWEROFF"])]), after("POWEROFF", [200, report([1, "FAILURE"])]), after("UNKNOWN", [200, report([1, "POWEROFF"])]), after("RUNNING", [200, report([1, "FAILURE"])])]).toEqual(["SUSPENDED", "POWEROFF", "POWEROFF", "UNKNOWN"]);
  });

  test("hear() takes whoever is missing in a complete report for off at once, and nobody in another one", () => {
    expect([after("RUNNING", [1, complete([2, "RUNNING"])]), after("RUNNING", [1, complete([1, "RUNNING"])]), after("RUNNING", [200, report([2, "RUNNING"])])]).toEqual(["POWEROFF", "RUNNING", "RUNNING"]);
  });
});
