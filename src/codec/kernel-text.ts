/** Values in KiB by name, of /proc/meminfo or of a NUMA node's meminfo. */
export function parseMeminfo(text: string): Readonly<Record<string, number>> {
  const lines = [...text.matchAll(/^(?:Node\s+\d+\s+)?([A-Za-z_()]+):\s+(\d+)(?: kB)?$/gm)];
  return Object.fromEntries(lines.map(([, name, value]) => [name, Number(value)]));
}

/** Numbers of a processor list such as `0-3,8`; what is not a list has none. */
export function parseCpuList(text: string): readonly number[] {
  return text.trim().split(",").flatMap((part) => {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? [];
    const [from, to] = [Number(first), Number(last)];
    return first === undefined || to - from > 65_536 ? [] : Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
  });
}

/** Ticks of all processors since boot. */
export interface CpuTimes {
  readonly total: number;
  /** Doing nothing, or nothing but waiting for a disk. */
  readonly idle: number;
}

/** The first line of /proc/stat; guest time is part of user time already (proc(5)). */
export function parseCpuTimes(text: string): CpuTimes | undefined {
  const counters = /^cpu +(\d[\d ]*)/.exec(text)?.[1]?.trim().split(/ +/).slice(0, 8).map(Number);
  if (!counters || counters.length < 5) return undefined;
  return { total: counters.reduce((sum, each) => sum + each, 0), idle: (counters[3] ?? 0) + (counters[4] ?? 0) };
}

export interface InterfaceCounters {
  readonly name: string;
  readonly rxBytes: bigint;
  readonly txBytes: bigint;
}

/** /proc/net/dev. A name may hold anything but blanks, colons of aliases included. */
export function parseNetDev(text: string): readonly InterfaceCounters[] {
  return text.split("\n").flatMap((line) => {
    const [, name, counters = ""] = /^\s*(\S+):\s*(\d[\d ]*)$/.exec(line.trimEnd()) ?? [];
    const fields = counters.trim().split(/ +/);
    return name === undefined || fields.length < 9 ? [] : [{ name, rxBytes: BigInt(fields[0] ?? 0), txBytes: BigInt(fields[8] ?? 0) }];
  });
}

/** A line of /proc/self/mounts. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly type: string;
}

export function parseMounts(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [source, target, type] = line.split(" ");
    return source === undefined || target === undefined || type === undefined ? [] : [{ source: unescaped(source), target: unescaped(target), type }];
  });
}

/** Blanks and backslashes are octal there (getmntent(3)). */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The name of the processor: `model name` of /proc/cpuinfo, else its `cpu` line (POWER). */
export function parseCpuModel(text: string): string | undefined {
  return (/^model name[ \t]*:([^\n]*)/m.exec(text) ?? /^cpu[ \t]*:([^\n]*)/m.exec(text))?.[1]?.trim() || undefined;
}
