import { Deadline } from "../core/deadline.ts";
import type { Context } from "../core/ports.ts";
import type { Judges } from "../vm/outcome.ts";

/** How long a root helper may take. */
const HELPER_SECONDS = 60;

/** Time to see what has become of a VM, and to finish what libvirt answers at once: what the action has left, and FRESH_LOOK_SECONDS at least. A call that used up the deadline must not keep us from looking. */
export function lookTime({ deadline, clock, settings }: Context): Deadline {
  const least = settings.onevirt.FRESH_LOOK_SECONDS;
  return deadline.remainingMs() >= least * 1000 ? deadline : Deadline.after(least, clock);
}

/** How the outcome of an abandoned call is judged (vm/outcome.ts). */
export function judges({ clock, log, settings }: Context): Judges {
  return { clock, log, lookSeconds: settings.onevirt.FRESH_LOOK_SECONDS };
}

/** Time for what belongs to a VM that has ended: its TPM state, its devices. It is due even when the end took all the time there was. */
export function helperTime({ clock }: Context): Deadline {
  return Deadline.after(HELPER_SECONDS, clock);
}
