import { Deadline } from "../../src/core/deadline.ts";
import { generationOf } from "../../src/core/generation.ts";
import type { Context } from "../../src/core/ports.ts";
import { defaultSettings, type Settings } from "../../src/core/settings.ts";
import { FakeClock } from "./clock.ts";
import { FakeFiles } from "./files.ts";
import { FakeCommands, FakeLocks, FakeLog, FakeProcesses, FakeRoot, FakeState } from "./host.ts";
import { type FakeDomain, refusal } from "./domain.ts";
import { FakeSeries, FakeStorage } from "./storage.ts";
import { FakeHypervisor } from "./hypervisor.ts";

/** What a test says of the world; the rest is as on a host where nothing was configured. */
export interface Given {
  readonly domains?: readonly FakeDomain[];
  readonly files?: Readonly<Record<string, string | { readonly link: string }>>;
  readonly kvmrc?: Partial<Settings["kvmrc"]>;
  readonly onevirt?: Partial<Settings["onevirt"]>;
  /** VERSION of the tree. */
  readonly version?: string;
  /** The limit of the action. */
  readonly limitSeconds?: number | null;
}

/** A context made of fakes, which complains at its end about what was left open. */
export interface World extends Context, Disposable {
  readonly hypervisor: FakeHypervisor;
  /** Other hosts by URI; a URI that is not here cannot be reached. */
  readonly others: Map<string, FakeHypervisor>;
  readonly files: FakeFiles;
  readonly commands: FakeCommands;
  readonly processes: FakeProcesses;
  readonly locks: FakeLocks;
  readonly state: FakeState;
  readonly storage: FakeStorage;
  readonly series: FakeSeries;
  readonly root: FakeRoot;
  readonly clock: FakeClock;
  readonly log: FakeLog;
}

export function given({ domains = [], files = {}, kvmrc = {}, onevirt = {}, version, limitSeconds = 60 }: Given = {}): World {
  const clock = new FakeClock();
  const hypervisor = new FakeHypervisor(clock, domains);
  const locks = new FakeLocks(clock);
  const others = new Map<string, FakeHypervisor>();
  const settings = defaultSettings();
  const fakeFiles = new FakeFiles(files);
  return {
    clock, hypervisor, locks, others,
    hypervisorAt: (uri) => others.get(uri) ?? (uri === hypervisor.uri ? hypervisor : unreachable(uri, clock)),
    settings: { ...settings, kvmrc: { ...settings.kvmrc, ...kvmrc }, onevirt: { ...settings.onevirt, ...onevirt } },
    generation: generationOf(version), tree: "/var/tmp/one", randomHex: () => "0".repeat(64),
    files: fakeFiles, storage: new FakeStorage(fakeFiles), series: new FakeSeries(), commands: new FakeCommands(), processes: new FakeProcesses(), state: new FakeState(), root: new FakeRoot(), log: new FakeLog(),
    deadline: Deadline.after(limitSeconds, clock),
    [Symbol.dispose]: () => {
      hypervisor[Symbol.dispose]();
      locks[Symbol.dispose]();
    },
  };
}

/** A host that does not answer, whatever is asked. */
function unreachable(uri: string, clock: FakeClock): FakeHypervisor {
  const refuse = () => Promise.reject(refusal("LIBVIRT_UNREACHABLE", `Cannot connect to ${uri}: no answer`));
  const port = () => new Proxy({}, { get: () => refuse });
  const ports = Object.fromEntries(["devices", "snapshots", "images", "guest", "jobs", "migration", "node"].map((name) => [name, port()]));
  return new Proxy(new FakeHypervisor(clock, [], uri), {
    get: (target, key) => (typeof key === "string" && key in ports ? ports[key] : key === "uri" ? uri : key === Symbol.dispose ? () => target[Symbol.dispose]() : refuse),
  });
}
