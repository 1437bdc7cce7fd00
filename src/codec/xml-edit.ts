import { escapeXml } from "./xml.ts";

/** Everything that is not character data: comment, CDATA section, processing instruction, or tag with its attributes. `parseXml` refuses document types. */
const MARKUP = /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<(\/?)([^\s/>]+)((?:\s+[^\s=>]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>/g;
const ATTRIBUTE = /(\s+)([^\s=>]+)(\s*=\s*)("[^"]*"|'[^']*')/g;

/** New values for attributes of one element, as plain text; undefined leaves the element as it is. */
export type AttributeEdit = (attributes: Readonly<Record<string, string>>) => Readonly<Record<string, string>> | undefined;

/**
 * Changes attributes of all elements at a path (`domain/devices/disk/source`) and leaves every other byte alone. The document must
 * have been read by `parseXml` before: on well-formed text this scan is exact. Attributes that are not there yet are added.
 */
export function editAttributes(xml: string, path: string, edit: AttributeEdit): string {
  const open: string[] = [];
  return xml.replace(MARKUP, (tag: string, slash: string | undefined, name: string | undefined, attributes: string, selfClosing: string) => {
    if (name === undefined) return tag;
    if (slash) {
      open.pop();
      return tag;
    }
    open.push(name);
    const here = open.join("/") === path;
    if (selfClosing) open.pop();
    const changes = here ? edit(readAttributes(attributes)) : undefined;
    return changes ? `<${name}${withChanges(attributes, changes)}${selfClosing}>` : tag;
  });
}

/** Gives every element of this name, wherever it stands, another text. Elements that hold other elements are left alone. */
export function replaceTexts(xml: string, name: string, text: string): string {
  return xml.replace(new RegExp(`(<${name}(?:\\s[^>]*)?>)[^<]*(</${name}\\s*>)`, "g"), (_whole, start: string, end: string) => start + escapeXml(text) + end);
}

function readAttributes(source: string): Record<string, string> {
  return Object.fromEntries([...source.matchAll(ATTRIBUTE)].map(([, , name = "", , value = ""]) => [name, decode(value.slice(1, -1))]));
}

function withChanges(source: string, changes: Readonly<Record<string, string>>): string {
  const left = new Map(Object.entries(changes));
  const edited = source.replace(ATTRIBUTE, (whole: string, blank: string, name: string, equals: string) => {
    const value = left.get(name);
    left.delete(name);
    return value === undefined ? whole : `${blank}${name}${equals}${quoted(value)}`;
  });
  return edited + [...left].map(([name, value]) => ` ${name}=${quoted(value)}`).join("");
}

/** Blanks other than spaces would be read as spaces. */
function quoted(value: string): string {
  return `'${escapeXml(value).replace(/[\t\n\r]/g, (blank) => `&#${blank.charCodeAt(0)};`)}'`;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function decode(value: string): string {
  return value.replace(/\r\n|[\t\n\r]/g, " ").replace(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(amp|lt|gt|quot|apos));/g, (_whole, hex?: string, decimal?: string, named?: string) =>
    named ? (ENTITIES[named] ?? "") : String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(decimal)),
  );
}
