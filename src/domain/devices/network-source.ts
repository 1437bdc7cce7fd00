import { type DomainNode, element, filled } from "../element.ts";
import { derived, type Value } from "../source.ts";

interface HostDefaults {
  readonly port?: string;
  readonly transport?: string;
}

/** `<source protocol=… name=…>` with a `<host>` per server of the list. */
export function networkSource(protocol: string, name: Value, servers: Value, defaults: HostDefaults): DomainNode {
  const options = { rule: `data comes over the network from the ${protocol} servers of the disk` };
  const hosts = servers.text.split(" ").filter((each) => each !== "");
  if (hosts.length === 0) return element("source", { protocol, name }, undefined, options);
  return element("source", { protocol, name }, hosts.map((each) => host(each, servers, defaults)), options);
}

/** `<auth>`, when both the user and the name of the secret are known. */
export function authentication(type: string, user: Value, key: "uuid" | "usage", secret: Value): readonly DomainNode[] {
  if (user.text === "" || secret.text === "") return [];
  return [element("auth", { username: user }, [element("secret", { type, [key]: secret })], { because: [user, secret], rule: "user and libvirt secret of the storage" })];
}

function host(text: string, servers: Value, { port, transport }: HostDefaults): DomainNode {
  const found = divide(text);
  const name = derived(found.name, servers);
  const portValue = found.port === "" ? (port === undefined ? undefined : derived(port)) : derived(found.port, servers);
  return element("host", { name, port: portValue && filled(portValue), transport }, undefined, { because: [servers], rule: "a host per word of the server list, with the usual port unless it names one" });
}

/** `name:port`, `[v6]:port`, `[v6]`, or a bare IPv6 address. Compat: pieces behind a second colon are dropped. */
function divide(text: string): { readonly name: string; readonly port: string } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed) return { name: bracketed[1] ?? "", port: bracketed[2] ?? "" };
  if (/^[0-9A-Fa-f:.]+$/.test(text) && (text.includes("::") || text.split(":").length === 8)) return { name: text, port: "" };
  const [name = "", port = ""] = text.split(":").filter((piece) => piece !== "");
  return { name, port };
}
