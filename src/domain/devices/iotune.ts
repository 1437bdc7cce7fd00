import { cdataElement, type DomainNode, element } from "../element.ts";
import { type Facts, oncePerFacts, ownOrInherited } from "../facts.ts";
import { saturated, UINT32, UINT64 } from "../numbers.ts";
import { derived, type Value } from "../source.ts";
import type { Disk } from "./disk-plan.ts";

/** The keys that make a disk throttled; lengths and sizes alone do not. */
const RATES: readonly string[] = ["TOTAL", "READ", "WRITE"].flatMap((who) => ["BYTES", "IOPS"].flatMap((what) => [`${who}_${what}_SEC`, `${who}_${what}_SEC_MAX`]));

const inheritedRates = oncePerFacts(({ inherited }) => RATES.map((key) => inherited.keyText("DISK", key)));

/** A limit by its key; empty when there is none. */
export type Limit = (key: string) => Value;

/** Writes one limit; `range` is the type of its number, `because` what it depends on besides itself. */
export type WriteLimit = (key: string, value: Value, range: typeof UINT64, because: readonly Value[]) => DomainNode;

/** `<iotune>`, when any rate or maximum is set; it may stay empty. */
export function ioTune(facts: Facts, { view }: Disk): readonly DomainNode[] {
  const inherited = inheritedRates(facts);
  if (!inherited.some(({ text }) => text !== "") && !view.keys.some((key) => RATES.includes(key))) return [];
  return throttling((key) => ownOrInherited(facts, view, "DISK", key), number, "throttling keys of the disk, else DISK of host, cluster or defaults");
}

/** `<iotune>` of these limits. */
export function throttling(limit: Limit, write: WriteLimit, rule: string): readonly DomainNode[] {
  const set = RATES.map(limit).filter(({ text }) => text !== "");
  if (set.length === 0) return [];
  return [element("iotune", {}, [...rate("BYTES", limit, UINT64, write), ...rate("IOPS", limit, UINT32, write), ...sizeIops(limit, write)], { because: set, rule })];
}

/** A limit on the total replaces limits on reads and writes. */
function rate(what: "BYTES" | "IOPS", limit: Limit, range: typeof UINT64, write: WriteLimit): readonly DomainNode[] {
  const total = limit(`TOTAL_${what}_SEC`).text !== "" || limit(`TOTAL_${what}_SEC_MAX`).text !== "";
  return (total ? ["TOTAL"] : ["READ", "WRITE"]).flatMap((who) => group(`${who}_${what}_SEC`, limit, range, write));
}

/** The rate, a maximum when it is greater, and how long the maximum may last. */
function group(key: string, limit: Limit, range: typeof UINT64, write: WriteLimit): readonly DomainNode[] {
  const [base, max, length] = [limit(key), limit(`${key}_MAX`), limit(`${key}_MAX_LENGTH`)];
  const one = (suffix: string, value: Value) => (value.text === "" ? [] : [write(`${key}${suffix}`, value, range, suffix === "" ? [] : [base, max])]);
  const bursts = max.text !== "" && saturated(max.text, range) > saturated(base.text, range);
  return [...one("", base), ...(bursts ? [...one("_MAX", max), ...one("_MAX_LENGTH", length)] : [])];
}

function sizeIops(limit: Limit, write: WriteLimit): readonly DomainNode[] {
  const size = limit("SIZE_IOPS_SEC");
  const counted = ["TOTAL", "READ", "WRITE"].some((who) => limit(`${who}_IOPS_SEC`).text !== "");
  return size.text !== "" && counted ? [write("SIZE_IOPS_SEC", size, UINT32, [])] : [];
}

function number(key: string, value: Value, range: typeof UINT64, because: readonly Value[]): DomainNode {
  return cdataElement(key.toLowerCase(), derived(saturated(value.text, range), value), { because, rule: key });
}
