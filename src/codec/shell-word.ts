/** One word for a POSIX shell, always in single quotes: no character of it has a meaning to the shell (driver-protocol.md 9.2, 18.2). */
export function quoteWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Longest argument that is shown whole in a log (driver-protocol.md 18.14): longer ones are documents, which may hold secrets (18.18). */
const SHOWN_CHARACTERS = 256;

/** A command for people to read: quoted only where a shell would need it, long arguments shortened. */
export function showCommand(argv: readonly string[]): string {
  return argv.map(showWord).join(" ");
}

function showWord(text: string): string {
  if (text.length > SHOWN_CHARACTERS) return `'… ${text.length} characters …'`;
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quoteWord(text);
}
