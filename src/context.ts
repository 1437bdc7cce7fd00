import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Action } from "./actions/action.ts";
import { actions, type ActionName } from "./actions/table.ts";
import { type Loaded, loadSettings, requireSettings } from "./config/load.ts";
import { findSources } from "./config/sources.ts";
import { Deadline } from "./core/deadline.ts";
import { generationOf } from "./core/generation.ts";
import type { Context, Generation, Log, Tracer } from "./core/ports.ts";
import { LOCK_DIRECTORY_WITHOUT_RUN, OWN, type Settings } from "./core/settings.ts";
import { systemClock } from "./host/clock.ts";
import { HostCommands } from "./host/commands.ts";
import { HostFiles } from "./host/files.ts";
import { HostLocks } from "./host/locks.ts";
import { HostProcesses } from "./host/process-table.ts";
import { SudoHelpers } from "./host/root-helpers.ts";
import { SeriesDatabases } from "./host/series.ts";
import { FileState } from "./host/state.ts";
import { HostStorage } from "./host/storage.ts";
import { GuardedHypervisor } from "./libvirt/guarded.ts";
import type { Thread } from "./libvirt/worker-call.ts";
import { ROOT_DIRECTORY } from "./root/place.ts";
import { startStorageThread, startThread } from "./thread.ts";

/** Where the remotes tree is that this process belongs to. */
export function findTree(environment: NodeJS.ProcessEnv, executable: string): string {
  if (environment.ONEVIRT_TREE) return resolve(environment.ONEVIRT_TREE); // the launcher knows it
  const directory = dirname(executable);
  return basename(directory) === "onevirt" && existsSync(`${dirname(directory)}/vmm`) ? dirname(directory) : "/var/tmp/one";
}

/** The generation of the oned that this tree belongs to. */
export function readGeneration(tree: string): Generation {
  return generationOf(new HostFiles().findText(`${tree}/VERSION`, 4096));
}

/** Threads for libvirt that were started ahead; they load the library while the configuration is read. Who has no hurry has none. */
export interface Ahead {
  readonly thread?: Thread | undefined;
  /** For the calls that take long. */
  readonly longThread?: Thread | undefined;
  /** For the libvirt of other hosts. */
  readonly elsewhereThreads?: readonly Thread[];
}

/** What one process uses in common: its tree, its trace, its log. */
export interface Surroundings extends Ahead {
  readonly tree: string;
  readonly trace: string | undefined;
  readonly tracer: Tracer | undefined;
  readonly log: Log;
  readonly generation: Generation;
}

/** The context of one action: configuration read, everything else opened on first use. */
export async function openContext(name: ActionName, surroundings: Surroundings): Promise<Context & Disposable> {
  const row: Action = actions[name];
  const settings = requireSettings(await readSettings(surroundings), name, row.settings);
  return contextOf(settings, surroundings, { readOnly: row.readOnly ?? false, limitSeconds: limitSeconds(name, row, settings) });
}

/** The configuration of a tree, with what could not be used of it. */
export function readSettings({ tree, tracer }: Pick<Surroundings, "tree" | "tracer">): Promise<Loaded> {
  const commands = new HostCommands(tracer);
  return loadSettings(findSources(tree, new HostFiles(tracer)), Object.keys(actions), (argv, seconds) => commands.run(argv, Deadline.after(seconds, systemClock)));
}

/** A context with these settings. */
export function contextOf(settings: Settings, surroundings: Surroundings, { readOnly, limitSeconds, idleSeconds }: { readonly readOnly: boolean; readonly limitSeconds: number | null; readonly idleSeconds?: number }): Context & Disposable {
  const { tree, trace, tracer, log, generation, thread, longThread, elsewhereThreads = [] } = surroundings;
  const files = new HostFiles(tracer);
  const commands = new HostCommands(tracer);
  const hypervisor = new GuardedHypervisor({ uri: settings.kvmrc.LIBVIRT_URI, readOnly, startWorker: firstThen(thread ? [thread] : [], startThread), startLongWorker: firstThen(longThread ? [longThread] : [], startThread), trace, tracer, idleSeconds });
  const startElsewhere = firstThen(elsewhereThreads, startThread);
  const hypervisorAt = (uri: string) => new GuardedHypervisor({ uri, elsewhere: true, startWorker: startElsewhere, trace, tracer, idleSeconds });
  return {
    tree, settings, generation, hypervisor, hypervisorAt, files, commands, clock: systemClock, log,
    randomHex: () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex"),
    processes: new HostProcesses(),
    locks: new HostLocks(lockDirectory(settings), systemClock),
    state: new FileState(settings.onevirt.STATE_DIRECTORY, files),
    storage: new HostStorage(startStorageThread),
    series: new SeriesDatabases(),
    root: new SudoHelpers(commands, { sudo: settings.kvmrc.SUDO, vgpu: helper(settings.onevirt.VGPU_HELPER, OWN.VGPU_HELPER.default), vtpm: helper(settings.onevirt.VTPM_HELPER, OWN.VTPM_HELPER.default) }),
    deadline: Deadline.after(limitSeconds, systemClock),
    [Symbol.dispose]: () => hypervisor[Symbol.dispose](),
  };
}

/** The threads that were started ahead, then new ones: an abandoned thread is never used again. */
function firstThen(ahead: readonly Thread[], start: () => Thread): () => Thread {
  const left = [...ahead];
  return () => left.shift() ?? start();
}

/** The table's limit unless the administrator set another; what the guest may take comes on top. */
function limitSeconds(name: ActionName, row: Action, { limits, kvmrc }: Settings): number | null {
  const limit = name in limits ? (limits[name] ?? null) : row.limitSeconds;
  return limit === null ? null : limit + (row.limitAdds ? kvmrc[row.limitAdds] : 0);
}

/** Root's own copy, where it was installed and nobody chose another: what oneadmin can write is not for root to run. */
function helper(path: string, usual: string): string {
  const own = `${ROOT_DIRECTORY}/${basename(path)}`;
  return path === usual && existsSync(own) ? own : path;
}

/** Compat: hosts without the tmpfiles entry of the node package have no /run/one. */
function lockDirectory({ onevirt }: Settings): string {
  const isDefault = onevirt.LOCK_DIRECTORY === OWN.LOCK_DIRECTORY.default;
  return isDefault && !existsSync("/run/one") ? LOCK_DIRECTORY_WITHOUT_RUN : onevirt.LOCK_DIRECTORY;
}
