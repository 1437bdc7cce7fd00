import type { XmlElement } from "../../src/codec/xml.ts";

/** The paths of all elements and attributes, as an independent reader of the text sees them. */
export function paths(element: XmlElement, path = `/${element.name}`): string[] {
  const children = element.children.filter((child): child is XmlElement => typeof child === "object");
  const inner = children.flatMap((child) => {
    const alike = children.filter(({ name }) => name === child.name);
    return paths(child, `${path}/${child.name}${alike.length === 1 ? "" : `[${alike.indexOf(child) + 1}]`}`);
  });
  return [path, ...Object.keys(element.attributes).map((name) => `${path}/@${name}`), ...inner];
}
