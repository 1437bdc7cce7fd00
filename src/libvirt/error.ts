import { OnevirtError, type ErrorCode, type LibvirtError } from "../core/errors.ts";
import type { Library } from "./library.ts";

/** virErrorNumber, as far as it decides something (actions.md 6.3). */
export const VIR_ERR = {
  INTERNAL_ERROR: 1, NO_SUPPORT: 3, NO_CONNECT: 5, OPERATION_FAILED: 9, DOM_EXIST: 28, SYSTEM_ERROR: 38, RPC: 39, NO_DOMAIN: 42, AUTH_FAILED: 45,
  OPERATION_INVALID: 55, OPERATION_TIMEOUT: 68, ARGUMENT_UNSUPPORTED: 74, OPERATION_ABORTED: 78, NO_DOMAIN_METADATA: 80, AGENT_UNRESPONSIVE: 86,
  RESOURCE_BUSY: 87, AUTH_CANCELLED: 79, AUTH_UNAVAILABLE: 94, AGENT_UNSYNCED: 97, LIBSSH: 98,
} as const;

/** virErrorDomain of everything between us and the daemon: VIR_FROM_RPC, VIR_FROM_REMOTE, VIR_FROM_SSH, VIR_FROM_LIBSSH. */
const TRANSPORT_DOMAINS: ReadonlySet<number> = new Set([7, 13, 50, 66]);

const CODES: Readonly<Record<number, ErrorCode>> = {
  [VIR_ERR.NO_CONNECT]: "LIBVIRT_UNREACHABLE",
  [VIR_ERR.RPC]: "LIBVIRT_UNREACHABLE",
  [VIR_ERR.AUTH_FAILED]: "LIBVIRT_UNREACHABLE",
  [VIR_ERR.AUTH_CANCELLED]: "LIBVIRT_UNREACHABLE",
  [VIR_ERR.AUTH_UNAVAILABLE]: "LIBVIRT_UNREACHABLE",
  [VIR_ERR.LIBSSH]: "LIBVIRT_UNREACHABLE",
  [VIR_ERR.NO_DOMAIN]: "DOMAIN_NOT_FOUND",
  [VIR_ERR.DOM_EXIST]: "DOMAIN_EXISTS",
  [VIR_ERR.OPERATION_INVALID]: "INVALID_STATE",
  [VIR_ERR.NO_SUPPORT]: "NOT_SUPPORTED",
  [VIR_ERR.OPERATION_TIMEOUT]: "BUSY",
  [VIR_ERR.RESOURCE_BUSY]: "BUSY",
};

/**
 * The error of the call that has just failed in this thread, as ours. To be read at once: the next call erases it.
 * `alive` is asked last and says whether the connection still stands: when it does not, nobody knows what became of the call, whatever the code.
 */
export function lastError(library: Library, doing: string, alive: () => boolean = () => true): OnevirtError {
  const { calls } = library;
  const libvirt: LibvirtError = {
    code: calls.virGetLastErrorCode(),
    domain: calls.virGetLastErrorDomain(),
    text: oneLine(calls.virGetLastErrorMessage() ?? "no reason given"),
  };
  const code = alive() ? codeOf(libvirt) : "CONNECTION_LOST";
  return new OnevirtError(code, `Cannot ${doing}: ${libvirt.text}`, { libvirt });
}

/** Our code for libvirt's report. A failure on the way to the daemon says nothing about the domain. */
export function codeOf(error: LibvirtError): ErrorCode {
  if (TRANSPORT_DOMAINS.has(error.domain) && error.code !== VIR_ERR.NO_DOMAIN) return "LIBVIRT_UNREACHABLE";
  return CODES[error.code] ?? "LIBVIRT_FAILED";
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, "; ");
}
