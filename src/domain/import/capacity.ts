import { OnevirtError } from "../../core/errors.ts";
import { sharesOf } from "../devices/cputune.ts";
import { kibOf } from "../diff-libvirt.ts";
import { isPinned } from "./numa.ts";
import { type Importer, note, type Piece, type RawPiece, single } from "./piece.ts";
import type { Reading } from "./reading.ts";

/** CPU, VCPU and VCPU_MAX. */
export const processors: Importer = (wild) => {
  const { root, options } = wild;
  const vcpu = root.child("vcpu");
  const most = vcpu?.text() || "1";
  const current = vcpu?.attribute("current") ?? most;
  vcpu?.attribute("placement");
  root.child("vcpus")?.finish();
  const shares = root.child("cputune")?.childText("shares");
  return [
    ...single("CPU", isPinned(wild) || shares === undefined ? current : cpuOf(Number(shares), options.cgroups)),
    ...single("VCPU", vcpu && current),
    ...single("VCPU_MAX", current === most ? undefined : most),
  ];
};

/** The CPU whose share is this one. OpenNebula keeps six digits of it and multiplies in single precision. */
export function cpuOf(shares: number, cgroups: 1 | 2): string {
  const base = cgroups === 2 ? 100 : 1024;
  const below = [0, 1e-6, 1e-5, 1e-4, 1e-3].map((part) => String(Number(((shares / base) * (1 - part)).toPrecision(6))));
  return below.find((cpu) => sharesOf(Number(cpu), cgroups) === shares) ?? below[0] ?? "1";
}

/** Limits of the processors that only RAW expresses. Which processors of the host are used is the business of OpenNebula's scheduler. */
export const processorLimits: Importer = (wild) => {
  const tune = wild.root.child("cputune");
  if (!tune) return [];
  const placement = tune.all().filter(({ name }) => PLACEMENT.includes(name));
  for (const each of placement) each.finish();
  const limits = tune.all().filter(({ name }) => name !== "shares" && !PLACEMENT.includes(name));
  const lost = placement.length > 0 && !isPinned(wild) ? [note("processors are bound to processors of the host (cputune): the template does not bind them, TOPOLOGY/PIN_POLICY would")] : [];
  return [...limits.map((each): RawPiece => rawLimit(each)), ...lost];
};

const PLACEMENT = ["vcpupin", "emulatorpin", "iothreadpin"];

function rawLimit(limit: Reading): RawPiece {
  limit.finish();
  return { kind: "raw", parent: "cputune", element: limit.element };
}

const MEBIBYTE = 1024;

/** MEMORY, and how far it may grow. */
export const memory: Importer = ({ root }) => {
  const most = kibOfChild(root, "memory") ?? 0;
  const current = kibOfChild(root, "currentMemory") ?? most;
  const slots = root.child("maxMemory")?.attribute("slots");
  const room = kibOfChild(root, "maxMemory");
  if (!(most >= 1)) throw new OnevirtError("BAD_INPUT", `Cannot import the domain: its memory is ${JSON.stringify(root.childText("memory") ?? "")}`);
  const now = room !== undefined || current > most ? most : current;
  const uneven = [most, now].some((each) => each % MEBIBYTE !== 0) ? [note("the memory is not a whole number of MiB: it is rounded up")] : [];
  return [...single("MEMORY", mib(now)), ...growth(room, slots, most, now), ...uneven];
};

function growth(room: number | undefined, slots: string | undefined, most: number, now: number): readonly Piece[] {
  if (room !== undefined) return [...single("MEMORY_MAX", mib(room)), ...single("MEMORY_SLOTS", slots), ...single("MEMORY_RESIZE_MODE", "HOTPLUG")];
  return mib(now) < mib(most) ? [...single("MEMORY_MAX", mib(most)), ...single("MEMORY_RESIZE_MODE", "BALLOONING")] : [];
}

/** Memory in KiB; undefined without such an element. */
export function kibOfChild(root: Reading, name: string): number | undefined {
  const child = root.child(name);
  child?.attribute("unit");
  return child && kibOf(child.text(), child.element);
}

function mib(kib: number): number {
  return Math.ceil(kib / MEBIBYTE);
}
