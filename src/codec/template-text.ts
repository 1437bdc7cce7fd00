/** What a terminal would obey, or show in another order than it is: control characters, line separators, directions of text. */
const CONTROLS = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu;
const CONTROLS_BUT_LINES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;

/**
 * A value of a template in quotes, so that OpenNebula reads the same text again. `\"` is its only escape: a backslash stays as it
 * is, and gets a second one where it would swallow the quote behind it. Control characters become a blank (`lines` keeps line
 * ends and tabs), and `]]>`, which no value may hold, is broken up.
 */
export function templateValue(text: string, { lines = false }: { readonly lines?: boolean } = {}): string {
  const plain = text.toWellFormed().replace(lines ? CONTROLS_BUT_LINES : CONTROLS, " ").replaceAll("]]>", "]] >");
  const escaped = plain.replace(/(\\*)("|$)/g, (_, backslashes: string, quote: string) => `${backslashes}${backslashes.length % 2 === 1 ? "\\" : ""}${quote === "" ? "" : '\\"'}`);
  return `"${escaped}"`;
}

/** A comment of one line: whatever is in the text, the line does not end before it. */
export function templateComment(text: string): string {
  return `# ${printable(text)}`.trimEnd();
}

/** A text that a terminal only shows. */
export function printable(text: string): string {
  return text.toWellFormed().replace(CONTROLS, (found) => [...found].map((each) => `\\u${(each.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`).join(""));
}
