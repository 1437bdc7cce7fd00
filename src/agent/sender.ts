import type { KeyObject } from "node:crypto";
import { monitorMessage, type MonitorMessageType } from "../codec/monitor-message.ts";
import type { Clock } from "../core/ports.ts";
import type { Transport } from "./ports.ts";

/** A datagram over IPv4 holds 65,507 bytes; longer messages go by TCP, which onemonitord reads without limit (monitoring.md 5). */
const MOST_UDP_BYTES = 65_000;

/** What nobody may miss: states, and results of commands, which nobody can ask for again. A datagram that is lost tells nobody. */
const BY_TCP: ReadonlySet<MonitorMessageType> = new Set(["STATE_VM", "EXEC_VM"]);

/** Sends messages, by type in the order of time: onemonitord drops what is older than what it has (monitoring.md 2.4). */
export class Sender {
  readonly counts = { sent: 0, failed: 0 };
  readonly #lastTimes = new Map<MonitorMessageType, number>();

  constructor(
    private readonly hostId: number,
    private readonly key: KeyObject | undefined,
    private readonly transport: Transport,
    private readonly clock: Clock,
    /** Seconds since 1970 before which no message may seem to come. */
    private notBefore = 0,
  ) {}

  /** The latest time that a message had. */
  get latest(): number {
    return Math.max(this.notBefore, ...this.#lastTimes.values());
  }

  /** A time for messages of all types at once. */
  timeOfAll(): number {
    return (this.notBefore = Math.max(this.latest, this.#now()));
  }

  /** Rejects when the message certainly did not leave. */
  async send(type: MonitorMessageType, success: boolean, text: string): Promise<void> {
    const message = monitorMessage({ type, success, hostId: this.hostId, timestamp: this.#timeOf(type), text }, this.key);
    try {
      await (BY_TCP.has(type) || message.length > MOST_UDP_BYTES ? this.transport.tcp(message) : this.transport.udp(message));
      this.counts.sent++;
    } catch (error) {
      this.counts.failed++;
      throw error;
    }
  }

  #timeOf(type: MonitorMessageType): number {
    const time = Math.max(this.#lastTimes.get(type) ?? 0, this.notBefore, this.#now());
    this.#lastTimes.set(type, time);
    return time;
  }

  #now(): number {
    return Math.floor(this.clock.nowMs() / 1000);
  }
}
