/** One line of oned, taken apart (driver-protocol.md 3.1). Words are kept as written: the id is echoed. */
export type RequestLine =
  | { readonly kind: "ignored" }
  | { readonly kind: "unknown"; readonly action: string; readonly reason: string }
  | { readonly kind: "refused"; readonly action: string; readonly id: string; readonly reason: string }
  | { readonly kind: "control"; readonly action: "INIT" | "FINALIZE" }
  | { readonly kind: "cancel"; readonly id: string }
  | { readonly kind: "action"; readonly action: string; readonly id: string; readonly payload: string; readonly oldForm: boolean };

/**
 * Reads one line. `knows` says whether an action word is implemented.
 * `oldForm` is the single blank that oned 5.x writes between action and id; later ones write two.
 */
export function parseRequestLine(line: string, knows: (action: string) => boolean): RequestLine {
  if (/^\s/.test(line) || line.trim() === "") return { kind: "ignored" };
  const [word = "", id = "", payload = "", ...more] = line.trim().split(/\s+/);
  const action = word.toUpperCase();
  if (action === "INIT" || action === "FINALIZE") return id === "" ? { kind: "control", action } : { kind: "ignored" };
  if (action === "DRIVER_CANCEL") return id === "" ? lacksId(action) : { kind: "cancel", id };
  if (!knows(action)) return { kind: "unknown", action: word, reason: `Cannot run ${excerpt(word)}: no such action` };
  if (id === "") return lacksId(action);
  if (payload === "" || more.length > 0) return { kind: "refused", action, id, reason: `Cannot run ${action}: expected an id and one message` };
  return { kind: "action", action, id, payload, oldForm: !line.trimStart().startsWith(`${word}  `) };
}

/** `<ACTION> <STATUS> <ID> <INFO>` for oned. INFO is made to fit one line; an error text never begins with `-`, which oned would swallow (3.3). */
export function resultLine(action: string, success: boolean, id: string, info: string): string {
  const text = oneLine(info);
  const safe = !success && /^\s*-[^]/.test(text) ? `Error: ${text.trimStart()}` : text;
  return `${action} ${success ? "SUCCESS" : "FAILURE"} ${id} ${safe}\n`;
}

export type LogLetter = "E" | "W" | "I" | "D";

/** `LOG <S> <ID> <text>`: a line of the log of one VM, or of oned with the id -1 (section 4). */
export function logLine(letter: LogLetter, id: string, text: string): string {
  return `LOG ${letter} ${id} ${oneLine(text)}\n`;
}

/** Any text as one line: there is no escape in this protocol, so each run of line breaks and NULs is one blank (3.2). */
export function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, " ");
}

/** A text of any length, short enough to be quoted in a message. */
export function excerpt(text: string, most = 64): string {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}

function lacksId(action: string): RequestLine {
  return { kind: "unknown", action, reason: `Cannot run ${action}: the id is missing` };
}
