/** Seconds between two passes of a category, by the names of monitord.conf (monitoring.md 1). */
export interface ProbePeriods {
  readonly BEACON_HOST: number;
  readonly SYSTEM_HOST: number;
  readonly MONITOR_HOST: number;
  readonly STATE_VM: number;
  /** Between two complete reports of all states. */
  readonly SYNC_STATE_VM: number;
  readonly EXEC_VM: number;
  readonly MONITOR_VM: number;
}

/** What onemonitord sends to an agent at its start (monitoring.md 4.2). */
export interface MonitorConfiguration {
  readonly hostId: number;
  /** Name or address of the front-end, already resolved from `auto`. */
  readonly address: string;
  readonly port: number;
  /** PEM text of the front-end's RSA key; undefined when messages go unencrypted. */
  readonly publicKey: string | undefined;
  readonly periods: ProbePeriods;
  readonly datastoreLocation: string;
}

/** Periods of 7.4 for what a configuration leaves out. */
export const DEFAULT_PERIODS: ProbePeriods = { BEACON_HOST: 30, SYSTEM_HOST: 600, MONITOR_HOST: 120, STATE_VM: 5, SYNC_STATE_VM: 180, EXEC_VM: 5, MONITOR_VM: 30 };

export const DEFAULT_DATASTORE_LOCATION = "/var/lib/one/datastores";
