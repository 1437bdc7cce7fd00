import { OnevirtError } from "../core/errors.ts";
import { DEFAULT_DATASTORE_LOCATION, DEFAULT_PERIODS, type MonitorConfiguration, type ProbePeriods } from "../core/monitor-configuration.ts";
import { decodeDocument } from "./stdin-document.ts";
import { findFirst, parseVmXml, textOf } from "./xml.ts";

/** The key as it travels: blanks stand for its line ends (monitoring.md 3.1). */
const PEM = /-+BEGIN RSA PUBLIC KEY-+([^-]*)-+END RSA PUBLIC KEY-+/;

/** What onemonitord sends to an agent, as XML or base64. `sshClient` is $SSH_CLIENT, which stands for an address of `auto`. BAD_INPUT names what is missing. */
export async function readMonitorConfiguration(text: string, sshClient: string | undefined): Promise<MonitorConfiguration> {
  const value = await readValues(text);
  const key = value("NETWORK/PUBKEY");
  return {
    hostId: requireNumber(value("HOST_ID"), "HOST_ID"),
    address: addressOf(value("NETWORK/MONITOR_ADDRESS"), sshClient),
    port: requireNumber(value("NETWORK/PORT"), "NETWORK/PORT"),
    publicKey: key === "" ? undefined : pemOf(key),
    ...forProbes(value),
  };
}

/** The part of it that probes use: an agent of upstream's hands them the whole (monitoring.md 4.6). */
export async function readProbeConfiguration(text: string): Promise<Pick<MonitorConfiguration, "periods" | "datastoreLocation">> {
  return forProbes(await readValues(text));
}

/** The value at a path, "" where there is none. */
type Values = (path: string) => string;

async function readValues(text: string): Promise<Values> {
  const root = await parseVmXml(decodeDocument(text, "the monitoring configuration"), "the monitoring configuration");
  return (path) => textOf(findFirst(root, ...path.split("/")))?.trim() ?? "";
}

function forProbes(value: Values): Pick<MonitorConfiguration, "periods" | "datastoreLocation"> {
  const periods = Object.fromEntries(Object.entries(DEFAULT_PERIODS).map(([name, fallback]) => [name, periodOf(value(`PROBES_PERIOD/${name}`), name, fallback)]));
  return { periods: periods as unknown as ProbePeriods, datastoreLocation: value("DATASTORE_LOCATION") || DEFAULT_DATASTORE_LOCATION };
}

function addressOf(address: string, sshClient: string | undefined): string {
  if (address === "") throw missing("NETWORK/MONITOR_ADDRESS");
  if (address !== "auto") return address;
  const client = sshClient?.trim().split(/\s+/)[0];
  if (!client) throw new OnevirtError("BAD_INPUT", 'NETWORK/MONITOR_ADDRESS is "auto", but SSH_CLIENT unknown');
  return client;
}

function pemOf(text: string): string {
  const body = PEM.exec(text)?.[1]?.trim().replace(/\s+/g, "\n");
  if (!body) throw new OnevirtError("BAD_INPUT", "Public key not in PEM format");
  return `-----BEGIN RSA PUBLIC KEY-----\n${body}\n-----END RSA PUBLIC KEY-----\n`;
}

function periodOf(text: string, name: string, fallback: number): number {
  if (text === "") return fallback;
  const seconds = requireNumber(text, `PROBES_PERIOD/${name}`);
  return seconds > 0 ? seconds : fallback;
}

function requireNumber(text: string, name: string): number {
  if (text === "") throw missing(name);
  if (!/^\d{1,9}$/.test(text)) throw new OnevirtError("BAD_INPUT", `${name} of the monitoring configuration is ${JSON.stringify(text.slice(0, 40))}, no whole number`);
  return Number(text);
}

function missing(name: string): OnevirtError {
  return new OnevirtError("BAD_INPUT", `${name} is missing in the monitoring configuration`);
}
