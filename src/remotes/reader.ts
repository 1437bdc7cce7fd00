import type { FileFacts } from "./directory.ts";
import type { Owner } from "./transaction.ts";

/** The account that copies the tree to the hosts: the owner of the tree, with its groups. */
export interface Reader {
  readonly uid: number;
  readonly groups: readonly number[];
}

const READ = 4;
const EXECUTE = 1;

/** The owner of the tree as a reader. Its further groups come from the texts of /etc/passwd and /etc/group, when it is named there. */
export function readerOf({ uid, gid }: Owner, passwd: string, group: string): Reader {
  const name = rows(passwd).find((row) => Number(row[2]) === uid)?.[0];
  const further = rows(group).filter((row) => name !== undefined && (row[3] ?? "").split(",").includes(name)).map((row) => Number(row[2]));
  return { uid, groups: [gid, ...further] };
}

/** Whether the reader may read a file, or list and enter a directory, by its permissions. */
export function mayRead({ uid, groups }: Reader, facts: Pick<FileFacts, "uid" | "gid" | "mode" | "kind">): boolean {
  if (uid === 0) return true;
  const shift = facts.uid === uid ? 6 : groups.includes(facts.gid) ? 3 : 0;
  const needed = facts.kind === "directory" ? READ | EXECUTE : READ;
  return ((facts.mode >> shift) & needed) === needed;
}

function rows(text: string): readonly (readonly string[])[] {
  return text.split("\n").filter((line) => line.includes(":")).map((line) => line.split(":"));
}
