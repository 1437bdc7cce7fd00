/** Where a value comes from. Without a line, bash computed it from the whole file. */
export interface Origin {
  readonly path: string;
  readonly line?: number;
}

/** A value as its file gives it, not yet interpreted. */
export interface Raw {
  readonly text: string;
  readonly origin: Origin;
}

/** The values of a file by name; the last assignment of a name wins, as in a shell. */
export type RawValues = ReadonlyMap<string, Raw>;

/** Where a value comes from, for people. */
export function describeOrigin(origin: Origin | undefined): string {
  if (origin === undefined) return "default";
  return origin.line === undefined ? `${origin.path} (by bash)` : `${origin.path}:${origin.line}`;
}
