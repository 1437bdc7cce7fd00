import { gunzipSync } from "node:zlib";
import { OnevirtError, messageOf } from "../core/errors.ts";

/** The one file of a TPM state, below the directory of the VM. */
export const TPM_STATE_FILE = "tpm/tpm2-00.permall";

/** A TPM state has some ten KiB; more than this is no TPM state. */
const MAX_BYTES = 1024 * 1024;
const BLOCK = 512;

/**
 * The TPM state out of USER_TEMPLATE/TPM_STATE, base64 of a tar.gz. Its author is the owner of the VM: exactly one regular file is
 * taken, by its exact name, and nothing else of the archive is ever written (actions.md 17.1 row 5). BAD_INPUT when it is not there.
 */
export function readTpmState(base64: string): Uint8Array {
  const archive = unpack(base64);
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const header = archive.subarray(at, at + BLOCK);
    const size = sizeOf(header);
    const [name, type] = [field(header, 0, 100).replace(/^\.\//, ""), field(header, 156, 1)];
    if (name === TPM_STATE_FILE && (type === "0" || type === "")) return contentOf(archive, at + BLOCK, size);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw new OnevirtError("BAD_INPUT", `Cannot read TPM_STATE: the archive holds no file ${TPM_STATE_FILE}`);
}

function unpack(base64: string): Uint8Array {
  try {
    return gunzipSync(Buffer.from(base64, "base64"), { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    throw new OnevirtError("BAD_INPUT", `Cannot read TPM_STATE: ${messageOf(cause)}`, { cause });
  }
}

/** Octal digits only: a sign would lead backwards, and for ever in a circle. */
function sizeOf(header: Uint8Array): number {
  const text = field(header, 124, 12);
  if (!/^[0-7]*$/.test(text)) throw new OnevirtError("BAD_INPUT", "Cannot read TPM_STATE: the archive is damaged");
  return Number.parseInt(text || "0", 8);
}

function contentOf(archive: Uint8Array, start: number, size: number): Uint8Array {
  if (size === 0 || start + size > archive.length) throw new OnevirtError("BAD_INPUT", `Cannot read TPM_STATE: ${TPM_STATE_FILE} is ${size === 0 ? "empty" : "cut off"}`);
  return archive.slice(start, start + size);
}

/** A field of a tar header, up to its first NUL. */
function field(header: Uint8Array, start: number, length: number): string {
  return Buffer.from(header.subarray(start, start + length)).toString("latin1").split("\0", 1)[0]?.trim() ?? "";
}
