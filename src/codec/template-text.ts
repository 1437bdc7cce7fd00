/** What a terminal would obey, or show in another order than it is: control characters, line separators, directions of text. */
const CONTROLS = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu;
const CONTROLS_BUT_LINES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;

/**
 * A value of a template in quotes, so that OpenNebula reads the same text again, as far as it can hold it. Control characters
 * become a blank (`lines` keeps line ends and tabs).
 */
export function templateValue(text: string, { lines = false }: { readonly lines?: boolean } = {}): string {
  return inQuotes(text.toWellFormed().replace(lines ? CONTROLS_BUT_LINES : CONTROLS, " "));
}

/**
 * A text between the quotes of OpenNebula's lexer. `\"` is its only escape, and it takes the longest match: whatever number of
 * backslashes stands before a quote, the last one escapes it, and the value would swallow what follows. So a blank comes between
 * them. `]]>`, which no line may hold there, is broken up, and what XML cannot hold is a blank, for oned keeps templates as XML.
 */
export function inQuotes(text: string): string {
  const plain = text.replace(/[\uFFFE\uFFFF]/g, " ").replaceAll("]]>", "]] >");
  return `"${plain.replace(/\\(?="|$)/g, "$& ").replaceAll('"', '\\"')}"`;
}

/** A comment of one line: whatever is in the text, the line does not end before it. */
export function templateComment(text: string): string {
  return `# ${printable(text)}`.trimEnd();
}

/** A text that a terminal only shows. */
export function printable(text: string): string {
  return text.toWellFormed().replace(CONTROLS, (found) => [...found].map((each) => `\\u${(each.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`).join(""));
}
