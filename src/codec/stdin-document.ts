import { OnevirtError } from "../core/errors.ts";

/** The longest document that libvirt's protocol carries (REMOTE_STRING_MAX of remote_protocol.x). */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/**
 * The document that oned put on stdin: as XML over ssh, as base64 when the action runs on the front-end (actions.md 1.3). The first
 * byte that is not blank tells. `what` names it in the error: BAD_INPUT.
 */
export function decodeDocument(stdin: string, what: string): string {
  const text = stdin.trimStart();
  if (text === "") throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: stdin is empty`);
  if (text.length > MAX_DOCUMENT_BYTES * (text.startsWith("<") ? 1 : 1.4)) throw tooLong(what, text.length);
  const document = text.startsWith("<") ? text : decodeBase64(text, what);
  const bytes = Buffer.byteLength(document);
  if (bytes > MAX_DOCUMENT_BYTES) throw tooLong(what, bytes);
  return document;
}

/** Whether this is the bare VM document: then the driver's TYPE is "xml", and nobody has made a domain of it (domain-xml.md 1.1). */
export function isVmDocument(document: string): boolean {
  return /^(?:<\?[^>]*\?>\s*)?<VM[\s>]/.test(document);
}

function decodeBase64(text: string, what: string): string {
  const compact = text.replace(/\s+/g, "");
  const decoded = /^[A-Za-z0-9+/]+={0,2}$/.test(compact) ? Buffer.from(compact, "base64").toString("utf8").trimStart() : "";
  if (!decoded.startsWith("<")) throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: stdin is neither XML nor base64 of XML`);
  return decoded;
}

function tooLong(what: string, length: number): OnevirtError {
  return new OnevirtError("BAD_INPUT", `Cannot read ${what}: it has ${length} bytes, and libvirt takes at most ${MAX_DOCUMENT_BYTES}`);
}
