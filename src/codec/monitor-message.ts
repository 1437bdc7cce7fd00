import { constants, createPublicKey, type KeyObject, publicEncrypt } from "node:crypto";
import { deflateSync } from "node:zlib";

/** Messages of an agent to onemonitord (monitoring.md 5). */
export type MonitorMessageType = "MONITOR_VM" | "MONITOR_HOST" | "SYSTEM_HOST" | "BEACON_HOST" | "STATE_VM" | "EXEC_VM";

export interface MonitorMessage {
  readonly type: MonitorMessageType;
  readonly success: boolean;
  readonly hostId: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly text: string;
}

/** PKCS#1 v1.5 takes this much of each block. */
const PADDING_BYTES = 11;

/** A message as it goes over the wire: no line end. */
export function monitorMessage({ type, success, hostId, timestamp, text }: MonitorMessage, key: KeyObject | undefined): string {
  const data = Buffer.from(text, "utf8");
  return `${type} ${success ? "SUCCESS" : "FAILURE"} ${hostId} ${timestamp} ${deflateSync(key ? encrypted(data, key) : data, { level: 9 }).toString("base64")}`;
}

/** The key of the front-end. Throws for what is no RSA key. */
export function readPublicKey(pem: string): KeyObject {
  const key = createPublicKey({ key: pem, format: "pem" });
  if (key.asymmetricKeyType !== "rsa") throw new TypeError("it is not an RSA key");
  return key;
}

/** Blocks of the modulus, in order, encrypted one by one. */
function encrypted(data: Buffer, key: KeyObject): Buffer {
  const block = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 2048) / 8) - PADDING_BYTES;
  const parts = Array.from({ length: Math.max(1, Math.ceil(data.length / block)) }, (_, index) => data.subarray(index * block, (index + 1) * block));
  return Buffer.concat(parts.map((part) => publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, part)));
}
