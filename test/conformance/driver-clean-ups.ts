import { hypervisorPlace, networkPlace } from "./driver-front-end.ts";
import { documentOf, elementsOf, networkDriversOf, requestsOf, textsOf } from "./driver-requests.ts";
import type { Request } from "./driver-requests.ts";
import type { Scenario } from "./driver-scenario.ts";

/** What must happen besides what was recorded. */
export interface Added {
  /** As `HOST PATH` below the tree. */
  readonly calls: readonly string[];
  readonly lines: readonly string[];
}

const NOTHING: Added = { calls: [], lines: [] };

/** The clean-ups of row 18.15 that recorded failures call for, of each request by itself. */
export function addedCleanUps(scenario: Scenario): Added {
  return both(...requestsOf(scenario).map((request) => cleanUpsOf(scenario, request)));
}

function both(...parts: readonly Added[]): Added {
  return { calls: parts.flatMap(({ calls }) => calls), lines: parts.flatMap(({ lines }) => lines) };
}

/** Failed steps decide, and the request's own document says where and what. */
function cleanUpsOf(scenario: Scenario, { action, id, line, lines }: Request): Added {
  if (!lines.at(-1)?.startsWith(`${action} FAILURE `)) return NOTHING;
  const failed = lines.flatMap((each) => /^LOG I \S+ Failed to execute .* operation: (\S+)\.$/.exec(each)?.[1] ?? []);
  const document = documentOf(line);
  const [host = "", destination = ""] = [textsOf(document, "HOST")[0], textsOf(document, "MIGR_HOST")[0]];
  const drivers = networkDriversOf(document);
  const of = { scenario, id };
  switch (action) {
    case "MIGRATE":
      if (host === destination) return NOTHING;
      if (failed.includes("pre")) return both(clean(of, destination, drivers), failMigrate(of, document));
      return failed.includes("migrate") ? clean(of, destination, drivers) : NOTHING;
    case "ATTACHNIC":
      if (failed.includes("attach_nic")) return clean(of, host, drivers);
      return failed.includes("reconfigure") ? both(isAlias(document) ? NOTHING : detach(of, host), clean(of, host, drivers)) : NOTHING;
    case "DEPLOY": {
      const done = drivers.slice(0, failed.includes("pre") ? failedAt(scenario, drivers, host) : 0);
      return done.length > 0 ? clean(of, host, done) : NOTHING;
    }
    default: return NOTHING;
  }
}

interface Of {
  readonly scenario: Scenario;
  readonly id: string;
}

/** Number of the network driver whose `pre` failed: the first that was told to fail, or was never called. */
function failedAt(scenario: Scenario, drivers: readonly string[], host: string): number {
  const wasCalled = (driver: string): boolean => scenario.calls.some((call) => call.host === networkPlace(scenario, driver, "pre", host) && call.path.endsWith(`/vnm/${driver}/pre`));
  return Math.max(drivers.findIndex((driver) => exitOf(scenario, `vnm/${driver}/pre`) !== 0 || !wasCalled(driver)), 0);
}

/** `clean` of each driver in turn; the first failure ends the step (driver-protocol.md 11.2). */
function clean(of: Of, host: string, drivers: readonly string[]): Added {
  const bad = drivers.findIndex((driver) => exitOf(of.scenario, `vnm/${driver}/clean`) !== 0);
  const tried = drivers.slice(0, bad < 0 ? undefined : bad + 1);
  const called = tried.map((driver) => ({ place: networkPlace(of.scenario, driver, "clean", host), script: `vnm/${driver}/clean` }));
  return step(of, called, "network driver operation: clean");
}

function failMigrate(of: Of, document: string): Added {
  const tm = (textsOf(document, "TM_COMMAND")[0] ?? "").split(/\s+/)[1] ?? "";
  return step(of, [{ place: "LOCAL", script: `tm/${tm}/failmigrate` }], "transfer manager driver operation: tm_failmigrate");
}

function detach(of: Of, host: string): Added {
  const hypervisor = of.scenario.calls.map(({ path }) => /\/vmm\/([^/]+)\//.exec(path)?.[1]).find((found) => found) ?? "kvm";
  const { place, script } = hypervisorPlace(of.scenario, "detach_nic", host);
  return step(of, [{ place, script: `vmm/${hypervisor}/${script}` }], "virtualization driver operation: detach_nic");
}

interface Called {
  readonly place: string;
  readonly script: string;
}

/** The calls of a step and what is logged about it; a clean-up that fails says so, and changes nothing. */
function step({ scenario, id }: Of, called: readonly Called[], operation: string): Added {
  const failed = called.some(({ script }) => exitOf(scenario, script) !== 0);
  return {
    calls: called.map(({ place, script }) => `${place} ${script}`),
    lines: [...called.flatMap((call) => logged(scenario, id, call)), `LOG I ${id} ${failed ? "Failed to" : "Successfully"} execute ${operation}.`],
  };
}

function logged(scenario: Scenario, id: string, call: Called): readonly string[] {
  const framing = exitOf(scenario, call.script) === 0 ? [] : [`LOG I ${id} Command execution ${call.place === "LOCAL" ? "failed" : "fail"} ${pathOf(call)}`];
  return [...framing, ...stderrLines(scenario, call).map(({ letter, text }) => `LOG ${letter} ${id} ${text}`)];
}

function pathOf({ place, script }: Called): string {
  return `${place === "LOCAL" ? "/var/lib/one/remotes" : "/var/tmp/one"}/${script}`;
}

/** Lines of a script that reach the VM's log: all of a failure and of the stream, else those with a severity (driver-protocol.md 4). */
function stderrLines({ stubs }: Scenario, { place, script }: Called): readonly { readonly letter: string; readonly text: string }[] {
  const { stderr = "", exit = 0 } = stubs.find((stub) => stub.script === script) ?? {};
  return stderr.split("\n").filter((line) => line.trim() !== "").flatMap((line) => {
    const [, word = "", text = ""] = /^(ERROR|INFO|WARN|DEBUG):\s*(.*)$/.exec(line.trim()) ?? [];
    if (word !== "") return [{ letter: word.charAt(0), text: text.trim() }];
    return exit !== 0 || place !== "LOCAL" ? [{ letter: "I", text: line.trim() }] : [];
  });
}

function exitOf({ stubs }: Scenario, script: string): number {
  return stubs.find((stub) => stub.script === script)?.exit ?? 0;
}

/** Whether what is attached is an alias: no NIC and no PCI device is marked (driver-protocol.md 15, ATTACHNIC). */
function isAlias(document: string): boolean {
  return !["NIC", "PCI"].flatMap((element) => elementsOf(document, element)).some((device) => textsOf(device, "ATTACH")[0] === "YES");
}
