import type { KeyObject } from "node:crypto";
import { monitorMessage, type MonitorMessageType } from "../codec/monitor-message.ts";
import type { Clock } from "../core/ports.ts";
import type { Transport } from "./ports.ts";

/** A datagram over IPv4 holds 65,507 bytes; longer messages go by TCP, which onemonitord reads without limit (monitoring.md 5). */
const MOST_UDP_BYTES = 65_000;

/** Sends messages, by type in the order of time: onemonitord drops what is older than what it has (monitoring.md 2.4). */
export class Sender {
  readonly counts = { sent: 0, failed: 0 };
  readonly #lastTimes = new Map<MonitorMessageType, number>();

  constructor(
    private readonly hostId: number,
    private readonly key: KeyObject | undefined,
    private readonly transport: Transport,
    private readonly clock: Clock,
  ) {}

  /** Rejects when the message certainly did not leave. */
  async send(type: MonitorMessageType, success: boolean, text: string): Promise<void> {
    const message = monitorMessage({ type, success, hostId: this.hostId, timestamp: this.#timeOf(type), text }, this.key);
    try {
      await (type === "STATE_VM" || message.length > MOST_UDP_BYTES ? this.transport.tcp(message) : this.transport.udp(message));
      this.counts.sent++;
    } catch (error) {
      this.counts.failed++;
      throw error;
    }
  }

  #timeOf(type: MonitorMessageType): number {
    const now = Math.max(this.#lastTimes.get(type) ?? 0, Math.floor(this.clock.nowMs() / 1000));
    this.#lastTimes.set(type, now);
    return now;
  }
}
