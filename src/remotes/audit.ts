import { join } from "node:path";
import type { Directory } from "./directory.ts";
import { mayRead, type Reader } from "./reader.ts";
import { isNameOfChange } from "./transaction.ts";

/** Something in the tree that a copy to the hosts trips over. */
export interface Finding {
  readonly path: string;
  readonly problem: string;
  /** false: copies work, but something else may not. */
  readonly stops: boolean;
}

const UNREADABLE = "the owner of the tree cannot read it, so each copy of the tree fails and puts its host in ERROR";
const DANGLING = "a symbolic link that points nowhere, so each copy of the tree fails and puts its host in ERROR";

/** Walks the tree for what makes each copy to the hosts fail: dangling links and what its owner cannot read (install-and-sync 6.6, 14.7). */
export function auditTree(directory: Directory, reader: Reader, path = ""): readonly Finding[] {
  return directory.names().flatMap((name) => auditName(directory, name, reader, join(path, name)));
}

function auditName(directory: Directory, name: string, reader: Reader, path: string): readonly Finding[] {
  const facts = directory.find(name);
  if (!facts) return [];
  if (facts.kind === "link") return auditLink(directory, name, path, reader);
  if (facts.kind !== "other" && !mayRead(reader, facts)) return [{ path, problem: UNREADABLE, stops: true }];
  if (isNameOfChange(name)) return [{ path, problem: "left over from an installation that was cut off; the next one removes it", stops: false }];
  if (facts.kind !== "directory") return [];
  using inner = directory.child(name);
  return inner ? auditTree(inner, reader, path) : [];
}

function auditLink(directory: Directory, name: string, path: string, reader: Reader): readonly Finding[] {
  const target = directory.target(name);
  if (!target) return [{ path, problem: `${DANGLING}: ${directory.linkText(name)}`, stops: true }];
  if (!mayRead(reader, target)) return [{ path, problem: UNREADABLE, stops: true }];
  return [{ path, problem: "a symbolic link: it travels as a full copy, and onecfg refuses the tree", stops: false }];
}
