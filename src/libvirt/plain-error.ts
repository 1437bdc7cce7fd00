import { OnevirtError, messageOf } from "../core/errors.ts";
import type { PlainError } from "./protocol.ts";

/** An error of the worker as data; what is not ours is our defect and keeps its text. */
export function toPlain(error: unknown): PlainError {
  if (error instanceof OnevirtError) return { code: error.code, message: error.message, hint: error.hint, libvirt: error.libvirt };
  return { code: "LIBVIRT_FAILED", message: messageOf(error) };
}

/** The error class again, on the other side. */
export function fromPlain(error: PlainError): OnevirtError {
  return new OnevirtError(error.code, error.message, { ...(error.hint ? { hint: error.hint } : {}), ...(error.libvirt ? { libvirt: error.libvirt } : {}) });
}
