import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { ExecutableTree, testDomain, type Result } from "../support/executable-tree.ts";

/** Lines for the user: what oned 7.x shows is what is not a log line. */
function userLines({ stderr }: Result): readonly string[] {
  return stderr.split("\n").filter((line) => line !== "" && !/^(ERROR|INFO|WARN|DEBUG):/.test(line));
}

const validDomain = testDomain();
const CASES: readonly { readonly name: string; readonly args?: readonly string[]; readonly stdin?: string; readonly says: RegExp }[] = [
  { name: "no arguments", args: [], says: /the argument deployment-file is missing\. Usage: deploy deployment-file/ },
  { name: "an empty path", args: ["", "h", "7", "h"], says: /the argument deployment-file is missing/ },
  { name: "a surplus argument", args: ["/tmp/x/deployment.0", "h", "7", "h", "more"], says: /5 arguments were given, at most 4/ },
  { name: "a relative path", args: ["deployment.0", "h", "7", "h"], says: /it is not absolute/ },
  { name: "a path with ..", args: ["/tmp/../etc/deployment.0", "h", "7", "h"], says: /it holds "\.\."/ },
  { name: "empty stdin", stdin: "", says: /stdin is empty/ },
  { name: "blank stdin", stdin: " \n\n", says: /stdin is empty/ },
  { name: "truncated XML", stdin: validDomain.slice(0, 60), says: /Cannot read the deployment document/ },
  { name: "XML that is not a domain", stdin: "<network><name>x</name></network>", says: /expected a <domain>, found <network>/ },
  { name: "a domain without a name", stdin: "<domain type='test'><memory>1024</memory></domain>", says: /the domain has no name/ },
  { name: "base64 of garbage", stdin: Buffer.from("\u0001\u0002 not a document").toString("base64"), says: /neither XML nor base64 of XML/ },
  { name: "binary garbage", stdin: "\u0000\u0001\u0002\uffff", says: /neither XML nor base64 of XML/ },
  { name: "5 MB of XML", stdin: `<domain><name>one-7</name><description>${"x".repeat(5 * 1024 * 1024)}</description></domain>`, says: /libvirt takes at most 4194304/ },
  { name: "5 MB of letters", stdin: "A".repeat(5 * 1024 * 1024), says: /neither XML nor base64 of XML|libvirt takes at most/ },
  { name: "an endless stdin", stdin: "A".repeat(20 * 1024 * 1024), says: /libvirt takes at most/ },
  ...["one-7; touch /tmp/pwned", "$(id)", "`id`", "a&amp;b", "a&lt;b", "../../etc/passwd", "one-7\n\nERROR: 1 x", "it's", "a&quot;b"].map((name) => ({
    name: `the domain name ${JSON.stringify(name)}`, stdin: testDomain(name), says: /the domain name .* holds/,
  })),
];

describe.each(CASES)("deploy with $name", ({ args, stdin = validDomain, says }) => {
  test("fails with one clear line and leaves nothing behind", async () => {
    using tree = new ExecutableTree();
    const result = await tree.run("deploy", args ?? [tree.deploymentFile, "h", "7", "h"], { stdin });
    expect({ stdout: result.stdout, lines: userLines(result).length, failed: result.exitCode !== 0 && result.exitCode !== 42 }).toEqual({ stdout: "", lines: 1, failed: true });
    expect(userLines(result)[0]).toMatch(says);
    expect(userLines(result)[0]).toMatch(/^Could not create domain from .*[.!?]$/);
    expect(readdirSync(tree.vmDirectory)).toEqual([]);
    expect(existsSync("/tmp/pwned")).toBe(false);
  });
});

describe("deploy", () => {
  test("takes base64 of the document, as oned sends it to the front-end", async () => {
    using tree = new ExecutableTree();
    const result = await tree.run("deploy", [tree.deploymentFile, "h", "7", "h"], { stdin: Buffer.from(validDomain).toString("base64") });
    expect(result).toEqual({ exitCode: 0, stdout: "11111111-2222-4333-8444-555555555507\n", stderr: "" });
    expect(readdirSync(tree.vmDirectory)).toEqual(["deployment.0"]);
  });

  test("answers with the name for OpenNebula 5.6, and reports errors between its markers", async () => {
    using tree = new ExecutableTree({ version: "5.6.0" });
    const good = await tree.run("deploy", [tree.deploymentFile, "h", "7", "h"], { stdin: validDomain });
    const bad = await tree.run("deploy", [tree.deploymentFile, "h", "7", "h"], { stdin: "" });
    expect(good).toEqual({ exitCode: 0, stdout: "one-7\n", stderr: "" });
    expect(bad.stderr).toMatch(/^ERROR MESSAGE --8<------\nCould not create domain from .*: .*stdin is empty\.\nERROR MESSAGE ------>8--\n$/);
  });

  test("does not wait for a stdin that never ends", async () => {
    using tree = new ExecutableTree({ conf: "LIMIT_DEPLOY=1\n" });
    const child = Bun.spawn([`${tree.root}/vmm/kvm/deploy`, tree.deploymentFile, "h", "7", "h"], { stdin: "pipe", stdout: "pipe", stderr: "pipe", env: { PATH: process.env.PATH ?? "" } });
    child.stdin.write("<domain>");
    await child.stdin.flush();
    const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    expect({ stdout, stderr, exitCode, left: readdirSync(tree.vmDirectory) }).toEqual({ stdout: "", exitCode: 1, left: [], stderr: `Could not create domain from ${tree.deploymentFile}: Cannot read the document: stdin did not end in time.\n` });
  });

  test("makes the directory of the VM, and takes it away again when the document is refused", async () => {
    using tree = new ExecutableTree();
    const file = `${tree.root}/datastores/0/8/deployment.0`;
    await tree.run("deploy", [file, "h", "8", "h"], { stdin: "<nope/>" });
    expect(existsSync(`${tree.root}/datastores/0/8`)).toBe(false);
    const result = await tree.run("deploy", [file, "h", "8", "h"], { stdin: validDomain });
    expect({ code: result.exitCode, made: existsSync(file) }).toEqual({ code: 0, made: true });
  });
});

describe.each(["reboot", "reset"])("%s of an unknown deploy id", (action) => {
  test("fails with one clear line", async () => {
    using tree = new ExecutableTree();
    const result = await tree.run(action, ["one-999", "h", "999", "h"]);
    expect(result).toEqual({ exitCode: 1, stdout: "", stderr: `Could not ${action} domain one-999: there is no domain "one-999" on test:///default.\n` });
  });
});

describe.each(["shutdown", "cancel"])("%s of an unknown deploy id", (action) => {
  test("succeeds silently: it is off already", async () => {
    using tree = new ExecutableTree();
    expect(await tree.run(action, ["one-999", "h", "999", "h"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test("treats shell and XML metacharacters in the id as letters", async () => {
    using tree = new ExecutableTree();
    const result = await tree.run(action, ["$(touch /tmp/pwned);`id`'\"<&>", "h", "999", "h"]);
    expect({ ...result, pwned: existsSync("/tmp/pwned") }).toEqual({ exitCode: 0, stdout: "", stderr: "", pwned: false });
  });
});

describe("poll of an unknown deploy id", () => {
  test("answers STATE=- and succeeds", async () => {
    using tree = new ExecutableTree();
    expect(await tree.run("poll", ["one-999", "h", "999", "h"])).toEqual({ exitCode: 0, stdout: "STATE=-\n", stderr: "" });
  });
});
