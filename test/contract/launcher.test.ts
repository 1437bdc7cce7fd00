// The launchers as oned and people call them; a recording program stands in for the executable (install-and-sync R10, R11, R14, R16, R20).
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Action } from "../../src/actions/action.ts";
import { actions } from "../../src/actions/table.ts";

const REMOTES = join(import.meta.dir, "../../remotes");
const MACHINE = process.arch === "arm64" ? "aarch64" : "x86_64";
const scripts = Object.values(actions as Record<string, Action>).map(({ script }) => script);

/** Prints who it is, what it was told and where, one field after the other, each ended by a zero byte. */
const RECORDER = '#!/bin/sh\nprintf "%s\\0" "$$" "$0" "$ONEVIRT_TREE" "$#" "$@"\n';

let top: string;
let launcher: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "onevirt launcher-"));
  mkdirSync(join(top, "vmm/kvm"), { recursive: true });
  mkdirSync(join(top, "onevirt"));
  launcher = join(top, "vmm/kvm/deploy");
  copyFileSync(join(REMOTES, "vmm/kvm/deploy"), launcher);
  program(`onevirt/onevirt-${MACHINE}`, RECORDER);
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

describe("the launchers", () => {
  test("are there for every row, and every script has a row", () => {
    const found = readdirSync(REMOTES, { recursive: true, encoding: "utf8" }).filter((path) => path.startsWith("vmm/") && statSync(join(REMOTES, path)).isFile());
    expect(found.sort()).toEqual([...scripts].sort());
  });

  test("are regular files that oneadmin may execute, all of them the same", () => {
    const texts = scripts.map((script) => readFileSync(join(REMOTES, script), "utf8"));
    expect(new Set(texts).size).toBe(1);
    for (const script of scripts) expect(statSync(join(REMOTES, script)).mode & 0o700).toBe(0o700);
  });

  test("are correct for dash, and hold nothing that only bash knows", () => {
    expect(run(["dash", "-n", launcher]).code).toBe(0);
    const code = readFileSync(launcher, "utf8").split("\n").filter((line) => !line.startsWith("#")).join("\n");
    const bashisms = /\[\[|\]\]|\bfunction\b|\blocal\b|\bsource\b|<<<|<\(|>\(|&>|\|&|\$'|\$\(\(|\$\{[^}]*(\/\/|\^|,,|:[0-9])|==|\bdeclare\b|\btypeset\b|\bselect\b|\becho -[en]|\bread -[^r]|\b\w+\+=|\w+=\(|\blet\b|\{\w+\.\.\w+\}/;
    expect(bashisms.exec(code)?.[0]).toBeUndefined();
  });

  test("pass with shellcheck, where it is installed", () => {
    if (Bun.which("shellcheck")) expect(run(["shellcheck", "--shell=sh", launcher])).toMatchObject({ code: 0, out: "" });
  });
});

describe("a launcher", () => {
  const paths: [string, () => [string, string]][] = [
    ["an absolute path", () => [launcher, "/"]],
    ["a relative path", () => ["vmm/kvm/deploy", top]],
    ["a path with ..", () => ["../kvm/./deploy", join(top, "vmm/kvm")]],
    ["./ in its directory", () => ["./deploy", join(top, "vmm/kvm")]],
    ["a path through a link", () => ["vmm/link/deploy", top]],
    ["a path with double slashes", () => [`${top}//vmm///kvm//deploy`, "/"]],
  ];
  test.each(paths)("finds its tree when called by %s", (_what, call) => {
    symlinkSync("kvm", join(top, "vmm/link"));
    const [path, cwd] = call();
    const { code, out } = run(["sh", "-c", 'cd "$1" && exec "$2"', "sh", cwd, path]);
    const [, zero = "", tree = "", count, ...words] = out.split("\0").slice(0, -1);
    expect({ code, count, words }).toEqual({ code: 0, count: "2", words: ["vmm", "deploy"] });
    expect([realpathSync(Bun.resolveSync(zero.startsWith("/") ? zero : `./${zero}`, cwd)), realpathSync(tree.startsWith("/") ? tree : join(cwd, tree))]).toEqual([realpathSync(join(top, `onevirt/onevirt-${MACHINE}`)), realpathSync(top)]);
  });

  test("finds its tree when a shell is given its name", () => {
    expect(run(["sh", "deploy", "a"], { cwd: join(top, "vmm/kvm") }).out.split("\0").slice(3, -1)).toEqual(["3", "vmm", "deploy", "a"]);
    expect(run(["dash", launcher, "a"]).out.split("\0").slice(3, -1)).toEqual(["3", "vmm", "deploy", "a"]);
    expect(run(["bash", "--posix", launcher, "a"]).out.split("\0").slice(3, -1)).toEqual(["3", "vmm", "deploy", "a"]);
  });

  const odd: [string, string[]][] = [
    ["none", []],
    ["empty ones", ["", "", ""]],
    ["quotes", ["'", '"', "`id`", "$(id)", "$HOME", "\\", "\\n"]],
    ["white space", [" ", " a  b ", "\t", "a\nb", "\n"]],
    ["options", ["-h", "--help", "--", "-n", "-e", "-"]],
    ["glob characters", ["*", "?", "[a-z]", "{a,b}", "~", "!", "#", ";", "&", "|", ">", "<"]],
    ["bytes beyond ASCII", ["ä", "\u{1f600}", "\u007f", "\u0001"]],
    ["many", Array.from({ length: 200 }, (_, index) => `argument ${index}`)],
  ];
  test.each(odd)("passes arguments untouched: %s", (_what, words) => {
    const { code, out, err } = run([launcher, ...words]);
    expect({ code, err, words: out.split("\0").slice(4, -1) }).toEqual({ code: 0, err: "", words: ["vmm", "deploy", ...words] });
  });

  test("is replaced by the executable: the same process, its exit code, its standard input", async () => {
    program(`onevirt/onevirt-${MACHINE}`, "#!/bin/sh\necho $$\ncat\nexit 7\n");
    const child = Bun.spawn([launcher], { stdin: Buffer.from("document"), stdout: "pipe" });
    expect([await child.exited, await new Response(child.stdout).text()]).toEqual([7, `${child.pid}\ndocument`]);
  });

  test("starts no process before the executable where the kernel tells the machine", () => {
    if (!existsSync("/proc/sys/kernel/arch")) return; // Linux 6.1 and later
    const { code, out } = run([launcher], { env: { PATH: "/nonexistent" } });
    expect({ code, words: out.split("\0").slice(4, -1) }).toEqual({ code: 0, words: ["vmm", "deploy"] });
  });

  test("asks the allocator to keep memory, as only a process that is soon over should, and for no huge pages", () => {
    program(`onevirt/onevirt-${MACHINE}`, '#!/bin/sh\nprintf "%s %s" "$MIMALLOC_ALLOW_THP" "$MIMALLOC_PURGE_DELAY"\n');
    expect(run([launcher], { env: { PATH: process.env.PATH ?? "", MIMALLOC_ALLOW_THP: "1" } }).out).toBe("0 -1");
  });

  test("calls its action by its own name", () => {
    for (const script of scripts) {
      copyFileSync(join(REMOTES, script), join(top, script));
      expect(run([join(top, script), "x"]).out.split("\0").slice(4, -1)).toEqual(["vmm", script.split("/").at(-1) ?? "", "x"]);
    }
  });

  const broken: [string, () => void][] = [
    ["is missing", () => rmSync(join(top, `onevirt/onevirt-${MACHINE}`))],
    ["is of another machine only", () => (rmSync(join(top, `onevirt/onevirt-${MACHINE}`)), program("onevirt/onevirt-riscv64", RECORDER))],
    ["may not be executed", () => chmodSync(join(top, `onevirt/onevirt-${MACHINE}`), 0o640)],
    ["is empty", () => program(`onevirt/onevirt-${MACHINE}`, "")],
    ["is missing with its directory", () => rmSync(join(top, "onevirt"), { recursive: true })],
  ];
  test.each(broken)("says so when the executable %s, with an exit code that is neither 0 nor 42", (_what, spoil) => {
    spoil();
    const { code, out, err } = run([launcher, "/some/file"]);
    expect({ code, out, err }).toEqual({ code: 1, out: "", err: expect.stringMatching(new RegExp(`^Cannot run deploy: onevirt-${MACHINE}, the executable for this machine, is missing .*\\.\n$`)) });
  });

  test.each([["5.12.0", true], ["6.0.0.1", true], ["6.2.0", false], ["7.0.1", false]])("gives OpenNebula %s a message that its user sees", (version, isBlock) => {
    rmSync(join(top, "onevirt"), { recursive: true });
    writeFileSync(join(top, "VERSION"), `${version}\n`);
    const lines = run([launcher]).err.trim().split("\n");
    expect([lines.length, lines[0] === "ERROR MESSAGE --8<------", lines.at(-1) === "ERROR MESSAGE ------>8--"]).toEqual(isBlock ? [3, true, true] : [1, false, false]);
  });
});

describe("on a machine without AVX2, in a false /proc, a launcher", () => {
  const cpuinfo = (flags: string) => `processor\t: 0\nmodel name\t: a processor\nflags\t\t: fpu sse4_2 ${flags} x\nbugs\t\t: none\n`;
  const words = (flags: string) => unshared([`mkdir -p ${q(top)}/proc/sys/kernel`, `printf %s ${q(`${MACHINE}\n`)} > ${q(top)}/proc/sys/kernel/arch`, `printf %s ${q(cpuinfo(flags))} > ${q(top)}/proc/cpuinfo`, `mount --bind ${q(top)}/proc/sys /proc/sys`, `mount --bind ${q(top)}/proc/cpuinfo /proc/cpuinfo`], [launcher]);

  test("prefers the baseline executable when there is one (R16)", () => {
    expect(words("avx").out.split("\0")[1]).toEndWith(`onevirt-${MACHINE}`);
    program(`onevirt/onevirt-${MACHINE}-baseline`, RECORDER);
    expect(words("avx avx512").out.split("\0")[1]).toEndWith(`onevirt-${MACHINE}-baseline`);
    expect(words("avx avx2").out.split("\0")[1]).toEndWith(`onevirt-${MACHINE}`);
    rmSync(join(top, `onevirt/onevirt-${MACHINE}`));
    expect(words("avx avx2").out.split("\0")[1]).toEndWith(`onevirt-${MACHINE}-baseline`);
  });

  test("asks uname where the kernel is older than 6.1", () => {
    const { out } = unshared([`mkdir ${q(top)}/empty`, `mount --bind ${q(top)}/empty /proc/sys`], [launcher, "a"]);
    expect(out.split("\0").slice(4, -1)).toEqual(["vmm", "deploy", "a"]);
  });
});

describe("/etc/onevirt/off", () => {
  const off = (...command: string[]) => unshared(["mount -t tmpfs tmpfs /etc", "mkdir /etc/onevirt", "touch /etc/onevirt/off"], command);

  test("brings upstream's script back, as the same process, with its arguments and its neighbours", () => {
    program("vmm/kvm/upstream-deploy", '#!/bin/sh\n. "$(dirname "$0")/../../common.sh"\nprintf "%s\\0" "$COMMON" "$(ls "$(dirname "$0")/save.ceph" "$(dirname "$0")/../lib/command.rb" | wc -l)" "$@"\n');
    writeFileSync(join(top, "common.sh"), "COMMON=shared\n");
    writeFileSync(join(top, "vmm/kvm/save.ceph"), "");
    mkdirSync(join(top, "vmm/lib"));
    writeFileSync(join(top, "vmm/lib/command.rb"), "");
    expect(off(launcher, "a b", "", "*").out.split("\0").slice(0, -1)).toEqual(["shared", "2", "a b", "", "*"]);
    expect(run([launcher, "a b"]).out.split("\0").slice(4, -1)).toEqual(["vmm", "deploy", "a b"]); // outside of that namespace
  });

  test("changes nothing for an action that upstream does not have", () => {
    expect(off(launcher, "a").out.split("\0").slice(4, -1)).toEqual(["vmm", "deploy", "a"]);
  });
});

function program(path: string, text: string): void {
  writeFileSync(join(top, path), text);
  chmodSync(join(top, path), 0o755);
}

function run(command: readonly string[], options: { readonly cwd?: string; readonly env?: Record<string, string> } = {}): { code: number; out: string; err: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe", ...options });
  return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
}

/** Runs a program where some mounts are made that nobody else sees. */
function unshared(mounts: readonly string[], command: readonly string[]): ReturnType<typeof run> {
  return run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", `${mounts.join("\n")}\nexec "$@"`, "sh", ...command]);
}

function q(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
