import { element, fragment, warning } from "../element.ts";
import type { Contributor } from "../facts.ts";
import { administratorsText } from "../fragment.ts";
import { derived } from "../source.ts";

/** `<clock>`, for guests that count in local time or expect Hyper-V. Compat: LOCALTIME alone brings the timers as well. */
export const clock: Contributor = (facts) => {
  const localtime = facts.all.keyFlag("FEATURES", "LOCALTIME");
  const hyperv = facts.all.keyFlag("FEATURES", "HYPERV");
  if (!localtime.on && !hyperv.on) return [];
  const timers = administratorsText(facts, "HYPERV_TIMERS", facts.inherited.text("HYPERV_TIMERS"));
  const because = [localtime.on ? localtime : hyperv];
  const offset = derived(localtime.on ? "localtime" : "utc", ...because);
  const nodes = timers.text === "" ? [] : [fragment(timers, false)];
  const surprise = !hyperv.on && timers.text !== "" ? [warning("LOCALTIME brings the timers of HYPERV_TIMERS, although HYPERV is off.")] : [];
  return [element("clock", { offset }, nodes, { because, rule: "LOCALTIME, or UTC for Hyper-V; timers from HYPERV_TIMERS" }), ...surprise];
};
