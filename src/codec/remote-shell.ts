import { quoteWord } from "./shell-word.ts";

/**
 * The program that a host's shell runs for one session (driver-protocol.md 9.4: the framing is ours).
 * It reads orders from its stdin. A step's data follows its order by length, its words are quoted: nothing else is ever parsed.
 * The step runs in a session of its own. `stop` sends TERM to its group, `kill` KILL; when the connection ends without `quit`, the host
 * does both by itself, so a lost front-end leaves nothing running. Markers end with a random token, on both outputs, at any column.
 * The shell reads this text from the same stdin as its orders, so all of it is functions, and the last line starts them.
 * Plain POSIX, for bash, dash and busybox; names are prefixed, because the environment of the host may hold any other.
 */
export function remoteProgram(token: string): string {
  return PROGRAM.replaceAll("TOKEN", token);
}

const PROGRAM = `_ov_nl='
'
_ov_worker=
_ov_setsid=
command -v setsid >/dev/null 2>&1 && _ov_setsid=setsid
_ov_signal() {
  kill -s "$1" -- "-$_ov_pid" 2>/dev/null || kill -s "$1" "$_ov_pid" 2>/dev/null
}
_ov_step() {
  if [ ! -x "$1" ]; then
    printf '\\nTOKEN missing\\n' >&2; printf '\\nTOKEN end\\n'
    return
  fi
  printf '\\nTOKEN begin\\n' >&2; printf '\\nTOKEN begin\\n'
  _ov_pid=; _ov_stopped=
  trap '_ov_stopped=1; [ -z "$_ov_pid" ] || _ov_signal TERM' TERM
  trap '_ov_stopped=1; [ -z "$_ov_pid" ] || _ov_signal KILL' USR1
  printf '%s' "$_ov_data" | $_ov_setsid "$@" &
  _ov_pid=$!
  [ -z "$_ov_stopped" ] || _ov_signal TERM
  wait "$_ov_pid" 2>/dev/null; _ov_code=$?
  while [ -n "$_ov_stopped" ] && kill -0 "$_ov_pid" 2>/dev/null; do
    wait "$_ov_pid" 2>/dev/null; _ov_code=$?
    [ "$_ov_code" != 127 ] || break
  done
  [ -z "$_ov_stopped" ] || _ov_signal KILL
  printf '\\nTOKEN end %s\\n' "$_ov_code" >&2; printf '\\nTOKEN end\\n'
}
_ov_main() {
printf '\\nTOKEN ready\\n'
while IFS=' ' read -r _ov_verb _ov_size _ov_words; do
  case $_ov_verb in
  run)
    _ov_data=
    [ "$_ov_size" = 0 ] || { _ov_data=$(exec head -c "$_ov_size"); _ov_data=\${_ov_data%.}; }
    ( eval "_ov_step $_ov_words" ) &
    _ov_worker=$! ;;
  stop) kill -s TERM "$_ov_worker" 2>/dev/null ;;
  kill) kill -s USR1 "$_ov_worker" 2>/dev/null ;;
  quit) exit 0 ;;
  esac
done
if [ -n "$_ov_worker" ] && kill -s TERM "$_ov_worker" 2>/dev/null; then
  ( trap 'kill "$_ov_nap" 2>/dev/null; exit 0' TERM; sleep 5 & _ov_nap=$!; wait "$_ov_nap"; kill -s USR1 "$_ov_worker" ) >/dev/null 2>&1 &
  _ov_killer=$!
  wait "$_ov_worker" 2>/dev/null
  kill -s TERM "$_ov_killer" 2>/dev/null
fi
exit 0
}
_ov_main
`;

/** The order to run a step, with its data. Line breaks inside words travel as a variable, because an order is one line. */
export function runOrder(argv: readonly string[], data: Uint8Array): Uint8Array {
  const words = argv.map((word) => quoteWord(word).replaceAll("\n", `'"$_ov_nl"'`)).join(" ");
  if (data.length === 0) return Buffer.from(`run 0 ${words}\n`);
  // A shell drops line feeds at the end of what it captures: the dot behind them is taken away again.
  return Buffer.concat([Buffer.from(`run ${data.length + 1} ${words}\n`), data, DOT]);
}

const DOT = Buffer.from(".");

export const STOP_ORDER = "stop\n";
export const KILL_ORDER = "kill\n";
export const QUIT_ORDER = "quit\n";

/** What arrives between and at the markers of one output. */
export interface MarkerEvents {
  data(chunk: Uint8Array): void;
  /** Words behind the token, for instance `end 0`. */
  marker(words: string): void;
}

/** Takes the markers out of one output, however it is cut into chunks. Holds back at most one marker's length. */
export class MarkerReader {
  readonly #token: Buffer;
  #rest = Buffer.alloc(0);

  constructor(token: string, private readonly events: MarkerEvents) {
    this.#token = Buffer.from(`\n${token} `);
  }

  push(chunk: Uint8Array): void {
    let rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (;;) {
      const at = rest.indexOf(this.#token);
      const end = at < 0 ? -1 : rest.indexOf(10, at + this.#token.length);
      if (end < 0) return this.#hold(rest, at < 0 ? rest.length - this.#token.length + 1 : at);
      if (at > 0) this.events.data(rest.subarray(0, at));
      this.events.marker(rest.toString("latin1", at + this.#token.length, end));
      rest = rest.subarray(end + 1);
    }
  }

  /** What was held back, when nothing more comes. */
  end(): void {
    if (this.#rest.length > 0) this.events.data(this.#rest);
    this.#rest = Buffer.alloc(0);
  }

  #hold(rest: Buffer, from: number): void {
    const start = Math.max(0, from);
    if (start > 0) this.events.data(rest.subarray(0, start));
    this.#rest = Buffer.from(rest.subarray(start));
  }
}
