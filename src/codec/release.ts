/** An OpenNebula release as a number: 5.6 is 506, 7.4.0 is 704. */
export type Release = number;

/** What is assumed when nothing tells: the newest rules. */
export const NEWEST: Release = 9999;
/** What oned of 5.x gets when the tree does not name its release (driver-protocol.md 16). */
export const OLDEST: Release = 506;

/** The release of a remotes tree from the text of its VERSION file; undefined when it names none. */
export function releaseOf(version: string | undefined): Release | undefined {
  const found = /^\s*(\d+)\.(\d+)/.exec(version ?? "");
  return found ? Number(found[1]) * 100 + Number(found[2]) : undefined;
}
