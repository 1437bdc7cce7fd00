import { messageOf } from "../core/errors.ts";
import type { Files } from "../core/ports.ts";

/** A configuration file that exists: its text, or why nobody could read it. */
export type Source = { readonly path: string; readonly text: string } | { readonly path: string; readonly unreadable: string };

/** The files that make up the configuration, as far as they exist. */
export interface Sources {
  readonly kvmrc: Source | undefined;
  /** onevirt.conf; a later file overrides an earlier one. */
  readonly own: readonly Source[];
}

/** Where kvmrc may be, the first existing one counts: beside the scripts since 5.6, before it, and where upstream's Ruby actions look (actions.md 1.2, 16.1). */
export function kvmrcPaths(treeRoot: string): readonly string[] {
  return [`${treeRoot}/etc/vmm/kvm/kvmrc`, `${treeRoot}/vmm/kvm/kvmrc`, "/var/tmp/one/etc/vmm/kvm/kvmrc"];
}

/** Where onevirt.conf may be: the one that travels with the tree, then the one of this host, which has the last word (install-and-sync.md 7.3). */
export function ownPaths(treeRoot: string): readonly string[] {
  return [`${treeRoot}/onevirt/onevirt.conf`, "/etc/onevirt/onevirt.conf"];
}

/** Reads the files through the given port. The environment of the process is never asked: kvmrc overrides it anyway. */
export function findSources(treeRoot: string, files: Pick<Files, "findText">): Sources {
  return { kvmrc: firstSource(kvmrcPaths(treeRoot), files), own: ownPaths(treeRoot).flatMap((path) => findSource(path, files) ?? []) };
}

function firstSource(paths: readonly string[], files: Pick<Files, "findText">): Source | undefined {
  for (const path of paths) {
    const source = findSource(path, files);
    if (source) return source;
  }
  return undefined;
}

/** An unreadable file is a fact like its text: `config check` reports it together with everything else. */
function findSource(path: string, files: Pick<Files, "findText">): Source | undefined {
  try {
    const text = files.findText(path);
    return text === undefined ? undefined : { path, text };
  } catch (error) {
    return { path, unreadable: messageOf(error).replace(`Cannot read "${path}": `, "") };
  }
}
