import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseKvmrc } from "../../../src/codec/kvmrc.ts";

const assigned = (text: string) => {
  const file = parseKvmrc(text);
  return file.plain ? Object.fromEntries(file.assignments.map(({ name, value }) => [name, value])) : `bash, line ${file.line}`;
};

describe("parseKvmrc()", () => {
  const samples: [string, string, Record<string, string>][] = [
    ["an unexported value", "A=1\n", { A: "1" }],
    ["a value in single quotes", "A='1 $x \\ \"'\n", { A: '1 $x \\ "' }],
    ["a value in double quotes", 'A="1 \\" \\\\ \\$ \\x"\n', { A: '1 " \\ $ \\x' }],
    ["adjacent quoted pieces", `A=a"b "'c'\\ d\n`, { A: "ab c d" }],
    ["a comment after the value", "A=1 # one\nB=1#one\n", { A: "1", B: "1#one" }],
    ["an indented export", "  export A=1\n\tB=2\n", { A: "1", B: "2" }],
    ["several assignments in one line", "export A=1 B=2; C=3 D=4;\n", { A: "1", B: "2", C: "3", D: "4" }],
    ["an export of its own", "A=1\nexport A\n", { A: "1" }],
    ["a missing last newline", "A=1\nB=2", { A: "1", B: "2" }],
    ["empty values", "A=\nB=''\nC=\"\"", { A: "", B: "", C: "" }],
    ["Windows line ends, as bash keeps them", "A=1\r\nB='2'\r\n#\r\n", { A: "1\r", B: "2\r" }],
    ["the last of two assignments", "A=1\nA=2\n", { A: "2" }],
    ["a text over two lines", "A='1\n2'\nB=3\n", { A: "1\n2", B: "3" }],
    ["a URI with a query in quotes", 'A="qemu+tls://h/system?no_verify=1&x=[::1]"', { A: "qemu+tls://h/system?no_verify=1&x=[::1]" }],
    ["no assignment at all", "\n # nothing\n\n", {}],
  ];
  test.each(samples)("parseKvmrc() reads %s", (_what, text, expected) => {
    expect(assigned(text)).toEqual(expected);
  });

  const forBash: [string, string, number][] = [
    ["an expansion", "A=1\nB=$A\n", 2],
    ["an expansion in double quotes", 'A=1\nB="$A"\n', 2],
    ["a command substitution", "A=`hostname`\n", 1],
    ["an array", "A=(a b)\n", 1],
    ["an element of an array", "A[0]=a\n", 1],
    ["an append", "A+=1\n", 1],
    ["a condition", "A=1\n\nif true; then\nA=2; fi\n", 3],
    ["a command", "A=1\ntrue\n", 2],
    ["an assignment for one command", "A=1 true\n", 1],
    ["a function", "f() { A=1; }\n", 1],
    ["an unset", "A=1\nunset A\n", 2],
    ["the options of export", "export -n A=1\n", 1],
    ["a home directory", "A=~/x\n", 1],
    ["a brace expansion", "export A={1,2}\n", 1],
    ["a glob", "A=*\n", 1],
    ["a continued line", "A=1\\\n2\n", 1],
    ["a continued line in quotes", 'A="1\\\n2"\n', 1],
    ["an unfinished quote", "A=1\nB='2\nC=3\n", 2],
    ["a blank line with a carriage return", "A=1\r\n\r\n", 2],
    ["a comment sign inside an exported name", "export A#=1\n", 1],
    ["a variable that bash computes", "A=1\nRANDOM=4\n", 2],
    ["a variable that bash refuses", "UID=4\n", 1],
    ["a locale in which letters hide shell characters", "LANG=ja_JP.SJIS\n", 1],
    ["a byte order mark", "\ufeffA=1\n", 1],
    ["a zero byte", "A=1\0\n", 1],
    ["two separators", "A=1;;\n", 1],
  ];
  test.each(forBash)("parseKvmrc() leaves %s to bash", (_what, text, line) => {
    const file = parseKvmrc(text);
    expect(file.plain ? file : file.line).toEqual(line);
  });

  test("parseKvmrc() tells which names children see", () => {
    const file = parseKvmrc("export A=1\nB=2\nC=3\nexport C\n");
    expect(file.plain && [...file.exported]).toEqual(["A", "C"]);
  });

  test("parseKvmrc() gives the line of each assignment, also after a text over several lines", () => {
    const file = parseKvmrc("# 1\nA='\n\n'; B=1\n\nC=\"\n\" D=1");
    expect(file.plain && file.assignments.map(({ name, line }) => [name, line])).toEqual([["A", 2], ["B", 4], ["C", 6], ["D", 7]]);
  });

  test("parseKvmrc() takes time in proportion to the text, whatever it holds", () => {
    for (const piece of ["A=1 ", "'", '"\\"', "\\", "# ", " ", "A", "a=b;", "=", "'x'\"y\""]) {
      const started = performance.now();
      parseKvmrc(`A=${piece.repeat(20_000)}`);
      expect(performance.now() - started).toBeLessThan(5000);
    }
  });
});

const NAMES = ["A", "B", "LIBVIRT_URI"];
const PIECES = [
  "A=", "B=", "LIBVIRT_URI=", "export A=", "export B=", "export ", "  export A", "A", "=", "1", "yes", "qemu:///system", "a b", " ", " ", "\t", "\n", "\n", "\n", "\r\n", "\r",
  "#", " # note", "'", "'", '"', '"', "'x y'", '"x y"', "\\", "\\\\", '\\"', "\\$", "$", "$A", "${A}", "`", ";", "; ", "&", "|", "<", ">", "(", ")", "{a,b}", "{", "}", "~", "~/", ":~",
  "*", "?", "[a]", "!", "^", "%", "@", ",", "+", "+=", "-n", "é", "日本", "😀", "\u00a0", "\u0085", "\u2028", "\x01", "\x7f", "\x0b", "if", "unset A", "true", "--", ".", "/", "é'", "'#'", "''", '""',
];
const PLAIN_PIECES = ["A=", "B=", "LIBVIRT_URI=", "export A=", "\nexport B=", "x", "1", " ", "\n", "\nA=", "\nB=", "#", "'x y'", '"x y"', '"\\"', '"', "'$A'", '\\"', "\\\\", "\\'", "é", "😀", ";A=", "\r", "\r\n", "=", "''", "\n\texport A", "~", "\n# '\n"];

/** A small generator with a seed, so that a failure can be repeated. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function texts(count: number, seed: number): string[] {
  const random = numbers(seed);
  const piece = (pieces: readonly string[]) => pieces[random(pieces.length)]!;
  return Array.from({ length: count }, (_, index) => {
    const pieces = index % 3 === 0 ? PIECES : PLAIN_PIECES;
    return `${piece(["A=", "export A=", "", "B="])}${Array.from({ length: 1 + random(9) }, () => piece(pieces)).join("")}`;
  });
}

describe("parseKvmrc() against bash", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "kvmrc-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** Each file in a subshell of its own: what the three variables hold, whether they are exported, and whether bash complained. */
  const script = `cd "$1" || exit 1
for ((i = 0; i < $2; i++)); do (
  . ./$i 2>./$i.err
  for n in ${NAMES.join(" ")}; do if [[ -v $n ]]; then x=; [[ \${!n@a} == *x* ]] && x=x; printf '%s\\0%s\\0' "\${!n}" "$x"; else printf -- '-\\0-\\0'; fi; done
  [[ -s ./$i.err ]] && printf 'complained\\0' || printf 'silent\\0'
) </dev/null; done`;

  test("parseKvmrc() differs from bash in none of 1,000 files that it calls plain", async () => {
    const all = texts(30_000, 7);
    const plain = all.filter((text) => parseKvmrc(text).plain && text.includes("=")).slice(0, 1000);
    expect(plain.length).toBe(1000);
    plain.forEach((text, index) => writeFileSync(join(directory, String(index)), text));
    const bash = Bun.spawn(["env", "-i", "PATH=/usr/bin:/bin", "LANG=C", "bash", "--noprofile", "--norc", "-c", script, "bash", directory, String(plain.length)], { stdout: "pipe" });
    const fields = (await new Response(bash.stdout).text()).split("\0");
    const width = NAMES.length * 2 + 1;
    const wrong = plain.flatMap((text, index) => {
      const real = fields.slice(index * width, (index + 1) * width);
      const ours = expectation(text);
      return Bun.deepEquals(real, ours) ? [] : [{ text, real, ours }];
    });
    expect(wrong).toEqual([]);
  }, 180_000);
});

function expectation(text: string): string[] {
  const file = parseKvmrc(text);
  if (!file.plain) return [];
  const values = new Map(file.assignments.map(({ name, value }) => [name, value]));
  const shown = NAMES.flatMap((name) => (values.has(name) ? [values.get(name)!, file.exported.has(name) ? "x" : ""] : ["-", "-"]));
  return [...shown, "silent"];
}
