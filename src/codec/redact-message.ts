/** Elements whose content is a secret, wherever they stand in a driver message (driver-protocol.md 18.18). */
const SECRET = /(?:PASS|SECRET|TOKEN|KEY|CREDENTIAL|CERT|CIPHER)/i;
/** Names that hold such a word without holding a secret. */
const HARMLESS = /^(?:MONKEY|KEYMAP|KEEP.*)$/i;

/** The payload of a request with the secrets of its document struck out; a payload that is no document becomes empty. */
export function redactPayload(payload: string): string {
  const text = Buffer.from(payload, "base64").toString("utf8");
  return text.startsWith("<") ? Buffer.from(redactXml(text), "utf8").toString("base64") : "";
}

/** The same for a document. The data for a guest's command and the context of the VM are its owner's: they are struck out whole. */
export function redactXml(text: string): string {
  return text
    .replace(/<([\w.-]+)>((?:<!\[CDATA\[[^]*?\]\]>|[^<])*)<\/\1>/g, (whole, name: string) => (SECRET.test(name) && !HARMLESS.test(name) ? `<${name}>***</${name}>` : whole))
    .replace(/(<QEMU_GA_EXEC>[^]*?<STDIN>)[^]*?(<\/STDIN>)/g, "$1***$2");
}
