import type { Deadline } from "../core/deadline.ts";
import type { DomainIdentity } from "../core/ports.ts";
import { type GuardedOptions, GuardedThread } from "./guarded-thread.ts";

/**
 * A libvirt that judges documents by defining them, with a deadline on each call. Apart from the `Hypervisor` port, because
 * no action may ever define or undefine a domain.
 */
export class GuardedJudge implements Disposable {
  readonly uri: string;
  readonly #thread: GuardedThread<"judge">;

  constructor(options: GuardedOptions) {
    this.uri = options.uri;
    this.#thread = new GuardedThread("judge", options);
  }

  define(xml: string, options: { readonly schema: boolean }, deadline: Deadline): Promise<DomainIdentity> {
    return this.#thread.call("judge", "define", [xml, options], "define the domain", deadline);
  }
  undefine(name: string, deadline: Deadline): Promise<void> {
    return this.#thread.call("judge", "undefine", [name], `undefine domain "${name}"`, deadline);
  }
  inactiveNames(deadline: Deadline): Promise<readonly string[]> {
    return this.#thread.call("judge", "inactiveNames", [], "list inactive domains", deadline);
  }

  [Symbol.dispose](): void {
    this.#thread[Symbol.dispose]();
  }
}
