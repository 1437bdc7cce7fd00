import { CString, type Pointer, read } from "bun:ffi";
import { OnevirtError } from "../core/errors.ts";
import type { MigrationParameters, StatsFields } from "../core/ports.ts";
import type { Library } from "./library.ts";
import { VIR } from "./numbers.ts";

/** Size and offsets of virTypedParameter on LP64 (bun-notes 4.3). */
export const PARAM = { size: 96, type: 80, value: 88 } as const;

/** An array of virTypedParameter as plain values by name, or those whose names are wanted. The array stays with its owner. */
export function readParameters(list: Pointer, count: number, isWanted: (name: string) => boolean = () => true): StatsFields {
  const fields: Record<string, StatsFields[string]> = {};
  for (let index = 0; index < count; index++) {
    const param = (list + index * PARAM.size) as Pointer;
    const name = new CString(param).toString();
    if (isWanted(name)) fields[name] = readValue(param);
  }
  return fields;
}

function readValue(param: Pointer): StatsFields[string] {
  switch (read.i32(param, PARAM.type)) {
    case VIR.VIR_TYPED_PARAM_INT: return read.i32(param, PARAM.value);
    case VIR.VIR_TYPED_PARAM_UINT: return read.u32(param, PARAM.value);
    case VIR.VIR_TYPED_PARAM_LLONG: return read.i64(param, PARAM.value);
    case VIR.VIR_TYPED_PARAM_ULLONG: return read.u64(param, PARAM.value);
    case VIR.VIR_TYPED_PARAM_DOUBLE: return read.f64(param, PARAM.value);
    case VIR.VIR_TYPED_PARAM_BOOLEAN: return read.u8(param, PARAM.value) !== 0;
    case VIR.VIR_TYPED_PARAM_STRING: return new CString(read.ptr(param, PARAM.value) as Pointer).toString();
    default: throw new TypeError("Cannot read statistics: libvirt gave a parameter of an unknown type");
  }
}

/** An array of virTypedParameter made by libvirt itself: a number is an int, a bigint an unsigned long long, a list repeats its name. */
export class TypedParameters implements Disposable {
  readonly #list = new BigUint64Array(1);
  readonly #count = new Int32Array(1);
  readonly #room = new Int32Array(1);

  constructor(
    private readonly library: Library,
    parameters: MigrationParameters,
  ) {
    for (const [name, value] of Object.entries(parameters)) for (const each of Array.isArray(value) ? value : [value]) this.#add(name, each as string | number | bigint);
  }

  get pointer(): Pointer | null {
    return this.#list[0] ? (Number(this.#list[0]) as Pointer) : null;
  }

  get count(): number {
    return this.#count[0] ?? 0;
  }

  [Symbol.dispose](): void {
    if (this.pointer !== null) this.library.calls.virTypedParamsFree(this.pointer, this.count);
    this.#list[0] = 0n;
  }

  #add(name: string, value: string | number | bigint): void {
    if (this.#call(name, value) >= 0) return;
    this[Symbol.dispose]();
    throw new OnevirtError("BAD_ARGUMENT", `Cannot pass the parameter ${name} to libvirt: it is refused`);
  }

  #call(name: string, value: string | number | bigint): number {
    const { virTypedParamsAddInt, virTypedParamsAddULLong, virTypedParamsAddString } = this.library.calls;
    if (typeof value === "string") return virTypedParamsAddString(this.#list, this.#count, this.#room, name, value);
    if (typeof value === "bigint") return virTypedParamsAddULLong(this.#list, this.#count, this.#room, name, value);
    return virTypedParamsAddInt(this.#list, this.#count, this.#room, name, value);
  }
}
