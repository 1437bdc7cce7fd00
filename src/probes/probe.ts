import type { MonitorConfiguration } from "../core/monitor-configuration.ts";
import type { Context } from "../core/ports.ts";

/** Directories below im/kvm-probes.d; each has a loop of its own in the agent (monitoring.md 1). "collectd" is that directory itself in a tree of 5.x: all its probes make one message (monitoring.md 11.1). */
export type ProbeCategory = "collectd" | "host/beacon" | "host/system" | "host/monitor" | "vm/status" | "vm/execution" | "vm/monitor" | "vm/snapshot";

/** What a probe is asked for. */
export interface ProbeRequest {
  /** The IM_MAD that asks; both mean libvirt's QEMU driver. */
  readonly driver: "kvm" | "qemu";
  readonly hostId: number;
  readonly hostName: string;
  /** Defaults of 7.4 when the probe is run by hand. */
  readonly configuration: Pick<MonitorConfiguration, "datastoreLocation" | "periods">;
}

/** A probe reads through ports only and returns its text: lines of OpenNebula's template syntax, or "" for nothing. One that fails throws, and takes nobody with it. */
export type ProbeRun = (request: ProbeRequest, context: Context) => Promise<string>;

/** One row: everything that the agent, `onevirt probe`, the tree and the documentation need to know of a probe. */
export interface Probe {
  readonly summary: string;
  readonly category: ProbeCategory;
  /** The file in the category's directory, by upstream's name: it takes that file's place, and its order. */
  readonly file: string;
  /** Whether it waits for the others of a message that holds everything: what it says must not grow old. */
  readonly last?: true;
  /** Whether the front-end replaces all it has of this kind by what the probe says, so that nothing must be missing (monitoring.md 5). */
  readonly isList?: true;
  /** Seconds until the probe is given up in one pass. */
  readonly limitSeconds: number;
  /** What else it does; people who only want to look do not get that. */
  readonly effect?: string;
  readonly load: () => Promise<{ readonly run: ProbeRun }>;
}
