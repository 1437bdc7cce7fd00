import { messageOf, OnevirtError } from "../core/errors.ts";
import { parseXml, type XmlElement } from "../codec/xml.ts";
import { isXmlText } from "../codec/xml-write.ts";
import { cannot, type Facts } from "./facts.ts";
import type { Value } from "./source.ts";

/** Elements a user may write, their attributes, and what may stand inside. */
export interface Allowed {
  readonly [element: string]: {
    readonly attributes: Readonly<Record<string, readonly string[] | "any">>;
    readonly children?: Allowed;
  };
}

/** The top level elements of a text of libvirt elements. BAD_INPUT when it is not well-formed on its own. */
export function parseFragment(text: string, what: string): XmlElement {
  if (!isXmlText(text)) throw new OnevirtError("BAD_INPUT", `Cannot read ${what}: it holds a character that XML does not allow`);
  return parseXml(`<fragment xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">${text}</fragment>`, what);
}

/** A text that only an administrator can have written: verbatim, as long as it is well-formed. */
export function administratorsText(facts: Facts, name: string, value: Value): Value {
  try {
    parseFragment(value.text, name);
    return value;
  } catch (error) {
    throw cannot(facts.input, `${name} is not well-formed: ${messageOf(error)}`);
  }
}

/** Why a user's text may not be written; undefined when it may. */
export function refusal(text: string, name: string, allowed: Allowed): string | undefined {
  if (text.includes("<?")) return "processing instructions are not allowed";
  try {
    return firstRefusal(parseFragment(text, name), allowed);
  } catch (error) {
    return messageOf(error);
  }
}

function firstRefusal(parent: XmlElement, allowed: Allowed): string | undefined {
  for (const child of parent.children) {
    const reason = typeof child === "string" ? (child.trim() === "" ? undefined : "text between elements is not allowed") : elementRefusal(child, allowed);
    if (reason) return reason;
  }
  return undefined;
}

function elementRefusal(element: XmlElement, allowed: Allowed): string | undefined {
  const rule = Object.hasOwn(allowed, element.name) ? allowed[element.name] : undefined;
  if (!rule) return `<${element.name}> is not allowed`;
  for (const [key, value] of Object.entries(element.attributes)) {
    const values = Object.hasOwn(rule.attributes, key) ? rule.attributes[key] : undefined;
    if (values !== "any" && !values?.includes(value)) return `${key}="${value}" of <${element.name}> is not allowed`;
  }
  const missing = Object.entries(rule.attributes).find(([key, values]) => values !== "any" && !Object.hasOwn(element.attributes, key));
  return missing ? `<${element.name}> needs ${missing[0]}` : firstRefusal(element, rule.children ?? {});
}

const ANY = { attributes: { state: "any" } } as const;

/** Hyper-V interfaces: all of them concern the guest itself only. */
export const HYPERV_ELEMENTS: Allowed = {
  ...Object.fromEntries(["relaxed", "vapic", "vpindex", "runtime", "synic", "reset", "frequencies", "reenlightenment", "tlbflush", "ipi", "evmcs", "avic", "emsr_bitmap", "xmm_input"].map((name) => [name, ANY])),
  spinlocks: { attributes: { state: "any", retries: "any" } },
  stimer: { attributes: { state: "any" }, children: { direct: ANY } },
  vendor_id: { attributes: { state: "any", value: "any" } },
};

const ADDRESS: Allowed = { address: { attributes: { type: "any", domain: "any", bus: "any", slot: "any", function: "any", multifunction: "any", controller: "any", port: "any", target: "any", unit: "any" } } };

/** Devices that belong to a SPICE display and reach nothing of the host: no paths, no sockets, no log files. */
export const SPICE_ELEMENTS: Allowed = {
  sound: { attributes: { model: "any" }, children: { codec: { attributes: { type: "any" } }, ...ADDRESS } },
  video: { attributes: {}, children: {
    model: { attributes: { type: "any", heads: "any", vram: "any", vram64: "any", ram: "any", vgamem: "any", primary: "any" }, children: {
      resolution: { attributes: { x: "any", y: "any" } }, acceleration: { attributes: { accel2d: "any", accel3d: "any" } },
    } }, ...ADDRESS,
  } },
  channel: { attributes: { type: ["spicevmc"] }, children: { target: { attributes: { type: "any", name: "any" } }, ...ADDRESS } },
  redirdev: { attributes: { bus: "any", type: ["spicevmc"] }, children: ADDRESS },
};
