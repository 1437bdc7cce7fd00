import { deflateSync } from "node:zlib";

/** A datagram over IPv4 holds 65,507 bytes. collectd of 5.x takes 100,000, and there is no other way to it (monitoring.md 11.1). */
export const MOST_COLLECTD_BYTES = 65_000;

/** One report to collectd of 5.x. It has no time, and ends its line. */
export function collectdMessage({ hostId, success, text }: { readonly hostId: number; readonly success: boolean; readonly text: string }): string {
  return `MONITOR ${success ? "SUCCESS" : "FAILURE"} ${hostId} ${deflateSync(Buffer.from(text, "utf8"), { level: 9 }).toString("base64")}\n`;
}

/** What can be left out of a report that is too long, the least important first, and what oned then lacks. */
export const REDUCTIONS: readonly { readonly lacks: string; readonly reduce: (text: string) => string }[] = [
  { lacks: "templates of wild VMs", reduce: (text) => text.replace(/^ {2}IMPORT_TEMPLATE="[^"]*",\n/gm, "") },
  { lacks: "network and disk numbers of VMs", reduce: (text) => text.replace(/^( {2}POLL="STATE=\S+(?: CPU=\S+)?(?: MEMORY=\S+)?)[^"]*" \]$/gm, '$1" ]') },
  { lacks: "sizes of disks", reduce: (text) => text.replace(/^VM=\[ID=\d+,POLL="DISK_SIZE[^"]*"\]\n/gm, "") },
  // A list that is cut off must not call itself complete, and without that word oned draws no conclusion.
  { lacks: "all VMs", reduce: (text) => text.replace(/^VM_POLL=YES\n/gm, "").replace(/^VM=\[\n[^]*?" \]\n/gm, "") },
];
