/** One transfer command of oned (driver-protocol.md 6): words separated by blanks, no quoting. */
export interface TmCommand {
  /** Action word as written, for instance `CLONE.ssh`. */
  readonly action: string;
  readonly driver: string;
  readonly arguments: readonly string[];
}

/** The command of one line, or undefined when it has fewer than two words: upstream's driver died of that without an answer. */
export function parseTmCommand(line: string): TmCommand | undefined {
  const [action, driver, ...words] = line.trim().split(/\s+/);
  return action && driver ? { action, driver, arguments: words } : undefined;
}

/** All commands of a text of several lines, empty lines left out (CLEANUP). */
export function tmLines(text: string): readonly string[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}
