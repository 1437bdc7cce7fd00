import type { Deadline } from "../core/deadline.ts";
import { untilDeadline } from "./event-listener.ts";

/** Threads that may be inside libvirt with nobody waiting for them. Each QEMU that hangs may cost one; a daemon that hangs would cost one with every call. */
const MOST = 16;

/** Threads that were left behind inside libvirt, until they are out again. */
export class AbandonedThreads {
  #count = 0;
  #back = Promise.withResolvers<void>();

  constructor(private readonly most = MOST) {}

  /** One more; `back` is kept when it is out of libvirt. */
  add(back: Promise<void>): void {
    this.#count++;
    void back.then(() => {
      this.#count--;
      this.#back.resolve();
      this.#back = Promise.withResolvers();
    });
  }

  /** Whether one more may be risked: when there are too many, it is waited until one is back. False at the deadline. */
  async haveRoom(deadline: Deadline): Promise<boolean> {
    while (this.#count >= this.most) if ((await untilDeadline(this.#back.promise, deadline, "late" as const)) === "late") return false;
    return true;
  }
}
