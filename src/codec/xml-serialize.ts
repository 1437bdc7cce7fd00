import { escapeXml, type XmlElement } from "./xml.ts";

/** An element that was read, as text again: for giving a part of libvirt's own document back to libvirt. White space between elements is not kept. */
export function serializeXml({ name, attributes, children }: XmlElement): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}='${escapeXml(value).replace(/[\t\n\r]/g, (blank) => `&#${blank.charCodeAt(0)};`)}'`).join("");
  const inner = children.map((child) => (typeof child === "string" ? text(child) : serializeXml(child))).join("");
  return inner === "" ? `<${name}${written}/>` : `<${name}${written}>${inner}</${name}>`;
}

function text(value: string): string {
  return value.trim() === "" ? "" : escapeXml(value);
}
