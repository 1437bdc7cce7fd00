import type { Generation, Severity } from "./ports.ts";
import type { OnevirtError } from "./errors.ts";

/** A log line as oned reads it from stderr (actions.md 2.3). One line, whatever the text holds. */
export function logLine(severity: Severity, action: string, text: string): string {
  return `${severity}: ${action}: ${oneLine(text)}`;
}

/**
 * What a failed action prints on stderr, line by line: details as log lines, and one message for the user in the form that this
 * generation of oned takes (actions.md 2.2). The message ends in punctuation, because 7.x glues further words to it.
 */
export function failureLines(error: OnevirtError, action: string, start: string, generation: Generation): readonly string[] {
  const message = sentence(error.message.startsWith(start) ? error.message : `${start}: ${error.message}`, error.hint);
  const details = error.libvirt ? [logLine("ERROR", action, `libvirt error ${error.libvirt.code} of domain ${error.libvirt.domain}: ${error.libvirt.text}`)] : [];
  const forUser = generation.errors === "plain" ? [message] : ["ERROR MESSAGE --8<------", message, "ERROR MESSAGE ------>8--"];
  return [...details, ...forUser];
}

function sentence(message: string, hint: string | undefined): string {
  const first = stop(oneLine(message));
  return hint ? `${first} ${stop(capital(oneLine(hint)))}` : first;
}

function stop(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, "; ").replace(/[\p{Cc}\u2028\u2029]/gu, " ").trim();
}
