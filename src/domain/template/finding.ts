import type { Position } from "../../codec/attributes.ts";

/** "error": OpenNebula or libvirt will refuse it. "warning": it does not do what it says. "advice": it works, but not well. */
export type Severity = "error" | "warning" | "advice";

/** One remark about a template, with its place when the template was read from text. */
export interface Finding {
  readonly severity: Severity;
  /** `DISK[2]/CACHE` */
  readonly attribute: string;
  readonly message: string;
  readonly at?: Position;
}
