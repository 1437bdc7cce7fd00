import type { SinglePiece, VectorPiece } from "./piece.ts";

/** Attributes that the stock oned.conf keeps for oneadmin (VM_RESTRICTED_ATTR), among those that an import writes. */
const RESTRICTED: Readonly<Record<string, RegExp>> = {
  EMULATOR: /^$/, PCI: /./, RAW: /^DATA$/, TOPOLOGY: /^(PIN_POLICY|HUGEPAGE_SIZE)$/, NIC: /^(MAC|BRIDGE|FILTER|(IN|OUT)BOUND_.*)$/, DISK: /_SEC(_MAX|_MAX_LENGTH)?$/,
};

/** Those of them that the template holds, by name. */
export function restrictedIn(template: readonly (SinglePiece | VectorPiece)[]): readonly string[] {
  const names = template.flatMap((each) => {
    const rule = Object.hasOwn(RESTRICTED, each.name) ? RESTRICTED[each.name] : undefined;
    if (!rule) return [];
    return each.kind === "single" ? [each.name] : Object.keys(each.entries).filter((key) => rule.test(key)).map((key) => `${each.name}/${key}`);
  });
  return [...new Set(names)];
}
