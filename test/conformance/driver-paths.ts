import type { ScriptCall } from "../fixtures/driver-world.ts";

/** Recordings speak of /var/lib/one and /var/tmp/one; a test runs below a directory of its own. */
export class PathMap {
  constructor(private readonly root: string) {}

  /** A recorded text for the test's world. */
  toWorld(text: string): string {
    return text.replaceAll("/var/lib/one", `${this.root}/var`).replaceAll("/var/tmp/one", `${this.root}/host`);
  }

  /** A text of the test's world as it would have been recorded. */
  toRecorded(text: string): string {
    return text.replaceAll(`${this.root}/var`, "/var/lib/one").replaceAll(`${this.root}/host`, "/var/tmp/one");
  }

  /** A request line with its message mapped; lines without a readable message stay. */
  request(line: string): string {
    const payload = /\S+$/.exec(line)?.[0] ?? "";
    return payload.startsWith("PF") ? line.slice(0, line.length - payload.length) + throughBase64(payload, (text) => this.toWorld(text)) : line;
  }

  /** A call as it would have been recorded, documents inside base64 included. */
  call({ host, path, arguments: words, stdin }: ScriptCall): ScriptCall {
    return { host, path: this.toRecorded(path), arguments: words.map((word) => this.#data(word)), stdin: this.#data(stdin) };
  }

  #data(text: string): string {
    return /^PF[A-Za-z0-9+/=\n]*$/.test(text) || /^PGRv[A-Za-z0-9+/=\n]*$/.test(text) ? throughBase64(text, (inner) => this.toRecorded(inner)) : this.toRecorded(text);
  }
}

/** Changes what is inside base64, and keeps the line breaks' form: none, one at the end, or lines of 60 characters. */
function throughBase64(text: string, change: (inner: string) => string): string {
  const body = text.replace(/\n+$/, "");
  const changed = Buffer.from(change(Buffer.from(body.replaceAll("\n", ""), "base64").toString("utf8")), "utf8").toString("base64");
  const wrapped = body.includes("\n") ? changed.replace(/.{60}(?=.)/g, "$&\n") : changed;
  return wrapped + text.slice(body.length);
}
