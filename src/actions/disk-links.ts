import { dirname, isAbsolute, join } from "node:path";
import type { DomainDocument } from "../codec/domain-document.ts";
import { editAttributes } from "../codec/xml-edit.ts";
import type { Files } from "../core/ports.ts";

/** Disks of OpenNebula; others, such as an image that somebody named in RAW, are left alone. */
const ONE_DISK = /\/disk\.[0-9]+$/;

/**
 * Replaces disk files that are links by what they point to, one level deep (actions.md 7.1 step 2), so that libvirt works with the
 * snapshot or image itself. A target that does not exist leaves the link in place.
 */
export function resolveDiskLinks(xml: string, { diskFiles }: DomainDocument, files: Files): string {
  const targets = new Map(diskFiles.filter((file) => ONE_DISK.test(file)).flatMap((file) => targetOf(file, files)));
  if (targets.size === 0) return xml;
  return editAttributes(xml, "domain/devices/disk/source", ({ file = "" }) => {
    const target = targets.get(file);
    return target === undefined ? undefined : { file: target };
  });
}

/** A path, or what it points to when it is a link of OpenNebula's whose target exists. */
export function resolveLink(path: string, files: Files): string {
  return ONE_DISK.test(path) ? (targetOf(path, files)[0]?.[1] ?? path) : path;
}

function targetOf(file: string, files: Files): [string, string][] {
  if (files.kind(file) !== "symlink") return [];
  const link = files.readLink(file) ?? "";
  const target = isAbsolute(link) ? link : join(dirname(file), link);
  return files.kind(target) === undefined ? [] : [[file, target]];
}
