import { VARIABLES, type Row } from "../core/settings.ts";
import type { RawValues } from "./raw.ts";

/** A value that another program takes from the same file, where it is not the one that bash and onevirt take. */
export interface Difference {
  readonly who: string;
  readonly name: string;
  readonly line: number | undefined;
  /** What it takes; undefined: it sees no value. */
  readonly sees: string | undefined;
}

/** One of the programs that read kvmrc line by line, without a shell (actions.md 4, install-and-sync.md 7.2). */
interface Dialect {
  readonly who: string;
  readonly names: readonly string[];
  readonly line: RegExp;
}

const RUBY_ACTIONS = ["attach_nic", "detach_nic", "migrate"];
/** Commands and LANG are read by shell code only. */
const rubyNames = Object.entries(VARIABLES as Readonly<Record<string, Row>>)
  .filter(([name, { kind, readBy }]) => name !== "LANG" && kind !== "command" && ["all", ...RUBY_ACTIONS].some((reader) => readBy.includes(reader)))
  .map(([name]) => name);

/** Each pattern gives the name, and the value in one of the groups after it. An indented `export` becomes part of the name in both. */
const DIALECTS: readonly Dialect[] = [
  { who: "attach_nic, detach_nic and migrate of OpenNebula", names: rubyNames, line: /^(?:export)?[ \t]*([^=]+)=(?:"([^"]*)"|'([^']*)'|([^#]*))/ },
  { who: "tm/lib/kvm.rb of OpenNebula", names: ["LIBVIRT_URI"], line: /^(?:export)?[ \t]*([^=]+)=['"]?([^'"]+)['"]?$/ },
];

/** Where the line readers among the other programs take another value than `values`, which are bash's. */
export function differences(text: string, values: RawValues): Difference[] {
  return DIALECTS.flatMap((dialect) => {
    const seen = read(text, dialect);
    return dialect.names.flatMap((name) => {
      const [ours, theirs] = [values.get(name), seen.get(name)];
      return ours?.text === theirs?.value ? [] : [{ who: dialect.who, name, line: ours?.origin.line ?? theirs?.line, sees: theirs?.value }];
    });
  });
}

function read(text: string, { line: pattern }: Dialect): Map<string, { value: string; line: number }> {
  const seen = new Map<string, { value: string; line: number }>();
  for (const [index, line] of text.split("\n").entries()) {
    const [, name, ...values] = line.startsWith("#") ? [] : (pattern.exec(line) ?? []);
    if (name !== undefined) seen.set(name, { value: (values.find((value) => value !== undefined) ?? "").trim(), line: index + 1 });
  }
  return seen;
}
