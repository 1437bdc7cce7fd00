import type { Deadline } from "../core/deadline.ts";
import type { DomainIdentity } from "../core/ports.ts";

/**
 * A libvirt that judges documents. Errors as of `Hypervisor`; what libvirt refuses carries libvirt's own number.
 */
export interface DomainJudge {
  readonly uri: string;
  /** Defines a persistent domain, or replaces the definition of the same UUID; `schema` asks for libvirt's own schema check as well. */
  define(xml: string, options: { readonly schema: boolean }, deadline: Deadline): Promise<DomainIdentity>;
  /** Removes the definition. Firmware variables and TPM state of any VM stay where they are. */
  undefine(name: string, deadline: Deadline): Promise<void>;
  /** Names of the domains that are defined but do not run. */
  inactiveNames(deadline: Deadline): Promise<readonly string[]>;
}

/** Code of libvirt when a document does not follow the schema (VIR_ERR_XML_INVALID_SCHEMA). */
export const XML_INVALID_SCHEMA = 92;
