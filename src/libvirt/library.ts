import { CString, dlopen, type FFIFunction, type Pointer } from "bun:ffi";
import { OnevirtError, messageOf } from "../core/errors.ts";
import type { Tracer } from "../core/ports.ts";
import { ffiOf, libraryOf, symbols, type Calls, type SymbolName } from "./symbols.ts";

/**
 * Where libvirt.so.0 may be. Absolute names only: for a bare name the runtime also looks in the current directory, and there a
 * stranger could supply the library (bun-notes 4.1).
 */
export const LIBRARY_PATHS: readonly string[] = [
  ...(process.arch === "arm64" ? ["/usr/lib/aarch64-linux-gnu/libvirt.so.0"] : ["/usr/lib/x86_64-linux-gnu/libvirt.so.0"]),
  "/usr/lib64/libvirt.so.0",
  "/lib64/libvirt.so.0",
  "/usr/lib/libvirt.so.0",
];

/**
 * libvirt.so.0, loaded once. Each function is bound on first use, so that a libvirt without a newer function still serves all others.
 * Errors: LIBVIRT_MISSING when no file can be loaded; NOT_SUPPORTED when this libvirt lacks the function.
 */
export class Library {
  /** libvirt's functions by their own names. */
  readonly calls: Calls;
  /** Objects of libvirt that we own now, by kind; all zero when nothing leaks. */
  readonly owned: Record<string, number> = {};
  readonly #path: string;
  readonly #free: (memory: Pointer) => void;

  constructor(
    private readonly tracer: Tracer | undefined,
    paths: readonly string[] = LIBRARY_PATHS,
  ) {
    const { path, free } = load(paths);
    this.#path = path;
    this.#free = free;
    this.calls = this.#lazyCalls();
    // Before anything else: error functions without it abort the process (bun-notes 4.3)
    if (this.calls.virInitialize() < 0) throw new OnevirtError("LIBVIRT_FAILED", `Cannot initialise ${path}`);
    this.#silence();
  }

  /** Whether this libvirt has the function. */
  has(name: SymbolName): boolean {
    try {
      return dlopen(this.#pathOf(name), { [name]: ffiOf(name) }) !== undefined;
    } catch {
      return false;
    }
  }

  /** Copies a string that libvirt gave away, and frees it. */
  takeString(pointer: Pointer): string {
    const text = new CString(pointer).toString();
    this.free(pointer);
    return text;
  }

  /** Gives memory back that libvirt allocated for us. */
  free(pointer: Pointer): void {
    this.#free(pointer);
  }

  /** libvirt prints each error on stderr by itself unless a handler is set, and oned reads our stderr. virResetError, called as handler, is given the null user data and ignores it. */
  #silence(): void {
    const harmless = dlopen(this.#path, { virResetError: ffiOf("virResetError") }).symbols.virResetError as { ptr?: Pointer };
    this.calls.virSetErrorFunc(null, harmless.ptr ?? null);
  }

  #lazyCalls(): Calls {
    const calls = {};
    for (const name of Object.keys(symbols) as SymbolName[])
      Object.defineProperty(calls, name, { configurable: true, enumerable: true, get: () => this.#bind(calls, name) });
    return calls as Calls;
  }

  #bind(calls: object, name: SymbolName): unknown {
    const bound = this.#traced(name, refusingNul(name, this.#symbol(name)));
    Object.defineProperty(calls, name, { value: bound, enumerable: true });
    return bound;
  }

  #symbol(name: SymbolName): (...args: unknown[]) => unknown {
    try {
      return dlopen(this.#pathOf(name), { [name]: ffiOf(name) }).symbols[name] as unknown as (...args: unknown[]) => unknown;
    } catch (cause) {
      throw new OnevirtError("NOT_SUPPORTED", `Cannot call ${name}: this libvirt does not have it`, { cause, hint: `use libvirt ${symbols[name].since} or later` });
    }
  }

  /** libvirt-qemu.so.0 stands beside libvirt.so.0, and is loaded by who needs it. */
  #pathOf(name: SymbolName): string {
    return this.#path.replace(/[^/]*$/, (file) => file.replace("libvirt", libraryOf(name)));
  }

  #traced(name: SymbolName, call: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
    const tracer = this.tracer;
    if (!tracer) return call;
    return (...args) => tracer.around("libvirt", `${name}(${args.map(forTrace).join(", ")})`, () => call(...args), forTrace);
  }
}

function load(paths: readonly string[]): { path: string; free: (memory: Pointer) => void } {
  let reason = "";
  for (const path of paths) {
    try {
      const libc = dlopen(path, { free: { args: ["ptr"], returns: "void" } satisfies FFIFunction });
      return { path, free: libc.symbols.free };
    } catch (cause) {
      const text = messageOf(cause);
      if (!/No such file/.test(text)) reason = `: ${text}`;
    }
  }
  throw new OnevirtError("LIBVIRT_MISSING", `Cannot load libvirt.so.0${reason || `: not found in ${paths.join(", ")}`}`, {
    hint: "install the package libvirt0 (Debian, Ubuntu) or libvirt-libs (RHEL, AlmaLinux, SUSE)",
  });
}

/** C ends a string at its first NUL: what follows would be lost in silence, and `one-7\0x` would name one-7. BAD_ARGUMENT instead. */
function refusingNul(name: SymbolName, call: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
  if (!(symbols[name].args as readonly string[]).includes("const char *")) return call;
  return (...args) => {
    const text = args.find((each) => typeof each === "string" && each.includes("\0"));
    if (text !== undefined) throw new OnevirtError("BAD_ARGUMENT", `Cannot call ${name}: a text of ${(text as string).length} characters holds a NUL character`);
    return call(...args);
  };
}

/** Long strings are documents, and documents hold passwords: only their length is told. */
function forTrace(value: unknown): string {
  if (typeof value === "string") return value.length <= 100 && !value.includes("<") ? JSON.stringify(value) : `<${value.length} characters>`;
  if (typeof value === "number" && value > 0xffff_ffff) return `0x${value.toString(16)}`;
  if (typeof value === "object" && value !== null) return value.constructor.name;
  return String(value);
}
