import type { Pointer } from "bun:ffi";
import type { Library } from "./library.ts";

/** Kinds of libvirt objects, with the function that gives each back. */
const RELEASE = {
  connection: "virConnectClose",
  domain: "virDomainFree",
  snapshot: "virDomainSnapshotFree",
} as const;

export type HandleKind = keyof typeof RELEASE;

/** Owns one libvirt object and gives it back exactly once. Nothing above this folder sees a pointer. */
export class Handle implements Disposable {
  #pointer: Pointer | null;

  constructor(
    private readonly library: Library,
    private readonly kind: HandleKind,
    pointer: Pointer,
  ) {
    this.#pointer = pointer;
    library.owned[kind] = (library.owned[kind] ?? 0) + 1;
  }

  get pointer(): Pointer {
    if (this.#pointer === null) throw new TypeError(`Cannot use a ${this.kind} handle after it was disposed`);
    return this.#pointer;
  }

  [Symbol.dispose](): void {
    if (this.#pointer === null) return;
    const pointer = this.#pointer;
    this.#pointer = null;
    this.library.calls[RELEASE[this.kind]](pointer);
    this.library.owned[this.kind] = (this.library.owned[this.kind] ?? 0) - 1;
  }
}
