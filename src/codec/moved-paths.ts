import { escapeXml } from "./xml.ts";

/**
 * A domain document whose VM directory has moved to another system datastore: DSLOC/<number>/VMID becomes DSLOC/DSID/VMID wherever a
 * value begins with it, with OpenNebula's double slash or without (actions.md 7.5); in the metadata the value is a CDATA section.
 * `directory` is where the VM is now.
 */
export function moveDirectory(xml: string, directory: string): string {
  const parts = /^(.*)\/([^/]+)\/([^/]+)\/*$/.exec(directory);
  if (!parts) return xml;
  const [, location = "", datastore = "", vm = ""] = parts;
  const written = location.split("/").filter((part) => part !== "").map((part) => literal(escapeXml(part)));
  const place = new RegExp(`((?:["'>]|<!\\[CDATA\\[)\\s*)((?:/+${written.join("/+")})/+)\\d+(/+${literal(escapeXml(vm))})(?=[/"'<\\s]|]]>)`, "g");
  return xml.replace(place, (_whole, start: string, before: string, after: string) => `${start}${before}${escapeXml(datastore)}${after}`);
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
