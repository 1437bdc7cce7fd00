import { OnevirtError, type ErrorCode, type LibvirtError } from "../core/errors.ts";
import type { Library } from "./library.ts";
import { VIR } from "./numbers.ts";

/** virErrorDomain of everything between us and the daemon. */
const TRANSPORT_DOMAINS: ReadonlySet<number> = new Set([VIR.VIR_FROM_RPC, VIR.VIR_FROM_REMOTE, VIR.VIR_FROM_SSH, VIR.VIR_FROM_LIBSSH]);

/** virErrorNumber, as far as it decides something (actions.md 6.3). */
const CODES: Readonly<Record<number, ErrorCode>> = {
  [VIR.VIR_ERR_NO_CONNECT]: "LIBVIRT_UNREACHABLE",
  [VIR.VIR_ERR_RPC]: "LIBVIRT_UNREACHABLE",
  [VIR.VIR_ERR_AUTH_FAILED]: "LIBVIRT_UNREACHABLE",
  [VIR.VIR_ERR_AUTH_CANCELLED]: "LIBVIRT_UNREACHABLE",
  [VIR.VIR_ERR_AUTH_UNAVAILABLE]: "LIBVIRT_UNREACHABLE",
  [VIR.VIR_ERR_LIBSSH]: "LIBVIRT_UNREACHABLE",
  [VIR.VIR_ERR_NO_DOMAIN]: "DOMAIN_NOT_FOUND",
  [VIR.VIR_ERR_NO_DOMAIN_SNAPSHOT]: "SNAPSHOT_NOT_FOUND",
  [VIR.VIR_ERR_DEVICE_MISSING]: "DEVICE_NOT_FOUND",
  [VIR.VIR_ERR_AGENT_UNRESPONSIVE]: "AGENT_UNRESPONSIVE",
  [VIR.VIR_ERR_AGENT_UNSYNCED]: "AGENT_UNRESPONSIVE",
  [VIR.VIR_ERR_BLOCK_COPY_ACTIVE]: "BLOCK_JOB_ACTIVE",
  [VIR.VIR_ERR_DOM_EXIST]: "DOMAIN_EXISTS",
  [VIR.VIR_ERR_OPERATION_INVALID]: "INVALID_STATE",
  [VIR.VIR_ERR_NO_SUPPORT]: "NOT_SUPPORTED",
  [VIR.VIR_ERR_ARGUMENT_UNSUPPORTED]: "NOT_SUPPORTED", // also: no guest agent is configured
  [VIR.VIR_ERR_OPERATION_TIMEOUT]: "BUSY",
  [VIR.VIR_ERR_RESOURCE_BUSY]: "BUSY",
};

/** What libvirt says when it refuses to save or migrate while a disk is being copied; only for snapshots it has a number (BLOCK_COPY_ACTIVE). */
const BLOCK_JOB = /active block job/;

/** What it says when a guest refuses while it waits for a device itself (qemu_hotplug.c, about 5 s). In another language we wait, and hear the event. */
const REFUSED = /rejected by the guest/;

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
  if (TRANSPORT_DOMAINS.has(error.domain) && error.code !== VIR.VIR_ERR_NO_DOMAIN) return "LIBVIRT_UNREACHABLE";
  if (error.code === VIR.VIR_ERR_OPERATION_INVALID && BLOCK_JOB.test(error.text)) return "BLOCK_JOB_ACTIVE";
  if (error.code === VIR.VIR_ERR_OPERATION_FAILED && REFUSED.test(error.text)) return "REMOVAL_REFUSED";
  return CODES[error.code] ?? "LIBVIRT_FAILED";
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*[\r\n]+\s*/g, "; ");
}
