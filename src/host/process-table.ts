import { closeSync, openSync, readFileSync, readSync, readdirSync } from "node:fs";
import type { ProcessTable, QemuProcess } from "../core/ports.ts";

const UUID_ARGUMENT = /\0-uuid\0([0-9a-fA-F-]{36})\0/;

/** `guest=NAME,debug-threads=on`, or the name alone from an old libvirt; a comma in a name is doubled. */
const NAME_ARGUMENT = /\0-name\0(?:guest=)?((?:[^\0,]|,,)+)/;

/** /proc of this host (`root` is another place in tests). A process that ends while it is read is left out. */
export class HostProcesses implements ProcessTable {
  readonly #buffer = Buffer.allocUnsafe(128 * 1024);
  /** The QEMUs of the last look, by pid. */
  #known: ReadonlyMap<string, QemuProcess> = new Map();

  constructor(
    private readonly root = "/proc",
    private readonly pidFiles = "/run/libvirt/qemu",
  ) {}

  qemu(): ReadonlyMap<string, QemuProcess> {
    const found = new Map<string, QemuProcess>();
    for (const pid of readdirSync(this.root)) {
      const qemu = isNumber(pid) ? this.#qemuProcess(pid) : undefined;
      if (qemu) found.set(qemu.uuid, qemu);
    }
    this.#known = new Map([...found.values()].map((qemu) => [String(qemu.pid), qemu]));
    return found;
  }

  pidFile(name: string): number | undefined {
    if (name.includes("/")) return undefined; // no name that libvirt accepts, and no path of ours
    const pid = readText(`${this.pidFiles}/${name}.pid`)?.trim() ?? "";
    return /^\d+$/.test(pid) && this.#mayBeQemu(pid) ? Number(pid) : undefined;
  }

  /** A pid file may outlive its process, and the number be another's by now. A process that is being torn down shows no command line, but may still hold disks. */
  #mayBeQemu(pid: string): boolean {
    const state = this.#statOf(pid)?.[0];
    if (state === undefined || state === "Z" || state === "X") return false;
    const commandLine = this.#read(`${pid}/cmdline`) ?? "";
    return commandLine === "" || UUID_ARGUMENT.test(commandLine);
  }

  cpuTotal(): { readonly ticks: number; readonly processors: number } {
    const text = this.#read("stat") ?? "";
    const counters = (text.split("\n", 1)[0] ?? "").split(/\s+/).slice(1, -2); // without guest and guest_nice: user and nice contain them (proc(5))
    return { ticks: counters.reduce((sum, each) => sum + Number(each), 0), processors: text.match(/^cpu\d/gm)?.length ?? 0 };
  }

  #qemuProcess(pid: string): QemuProcess | undefined {
    const known = this.#known.get(pid);
    const identity = known ?? this.#identityOf(pid);
    const fields = identity && this.#statOf(pid);
    if (!identity || !fields) return undefined;
    if (known && !isStill(known, fields)) return this.#forgetting(pid);
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    const status = this.#read(`${pid}/status`) ?? "";
    const { uuid, name } = identity;
    return { pid: Number(pid), uuid, ...(name === undefined ? {} : { name }), state: fields[0] ?? "", residentKiB: kib(status, "VmRSS"), swapKiB: kib(status, "VmSwap"), hugePagesKiB: kib(status, "HugetlbPages"), cpuTicks: ticks, startTicks: Number(fields[19]) };
  }

  /** A QEMU is known by the word after `-uuid`; its name, user and binary may be anything. */
  #identityOf(pid: string): { readonly uuid: string; readonly name?: string | undefined } | undefined {
    const commandLine = this.#read(`${pid}/cmdline`) ?? "";
    const uuid = UUID_ARGUMENT.exec(commandLine)?.[1]?.toLowerCase();
    return uuid === undefined ? undefined : { uuid, name: NAME_ARGUMENT.exec(commandLine)?.[1]?.replaceAll(",,", ",") };
  }

  /** The pid is another process's by now, or its process has ended and shows no command line any more. */
  #forgetting(pid: string): QemuProcess | undefined {
    this.#known = new Map([...this.#known].filter(([other]) => other !== pid));
    return this.#qemuProcess(pid);
  }

  /** The fields of /proc/PID/stat from the state on; the name before may hold blanks and brackets. */
  #statOf(pid: string): readonly string[] | undefined {
    const stat = this.#read(`${pid}/stat`);
    return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  }

  #read(name: string): string | undefined {
    try {
      const file = openSync(`${this.root}/${name}`, "r");
      try {
        return this.#buffer.toString("latin1", 0, readSync(file, this.#buffer, 0, this.#buffer.length, 0));
      } finally {
        closeSync(file);
      }
    } catch {
      return undefined;
    }
  }
}

/** A command line is dear to read, and that of a QEMU is the same as long as the process is: which began at the same moment, and has not ended. */
function isStill({ startTicks }: QemuProcess, fields: readonly string[]): boolean {
  return Number(fields[19]) === startTicks && fields[0] !== "Z" && fields[0] !== "X";
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function kib(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
}

function isNumber(name: string): boolean {
  const first = name.charCodeAt(0);
  return first >= 48 && first <= 57;
}
