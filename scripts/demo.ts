// Shows the main job: a real Linux guest deployed, polled and shut down through the very launchers that oned runs. Does its own set-up.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const top = join(import.meta.dir, "..");
process.chdir(top);
const began = performance.now();

must(["node_modules/.bin/bun", "scripts/build.ts"]);
const isRoot = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
if (isRoot) await onTheLab();
else await onTheTestDriver();
say(`done in ${((performance.now() - began) / 1000).toFixed(0)} s`);

/** Two commands of the front-end, then everything as oneadmin over ssh. */
async function onTheLab(): Promise<void> {
  say("setting up a hypervisor host (libvirtd, QEMU, sshd in namespaces of their own) and a Linux guest");
  must(["scripts/lab", "up", "--hosts", "1"]);
  must(["scripts/lab", "guest"]);
  const tree = join(openTemporary("onevirt-demo-"), "remotes");
  try {
    say("installing onevirt into a remotes tree, and sending that to the host as `onehost sync` does");
    must(["scripts/lab", "tree", tree]);
    must(["dist/onevirt", "remotes", "install", "--tree", tree, "--backup", `${tree}-backup`]);
    must(["scripts/lab", "sync", "hosta", tree]);
    await showLife((action, args) => ["scripts/lab", "exec", "hosta", [`/var/tmp/one/vmm/kvm/${action}`, ...args.map((word) => `'${word}'`)].join(" ")]);
  } finally {
    say("taking the host down again");
    must(["scripts/lab", "down"]);
    rmSync(join(tree, ".."), { recursive: true, force: true });
  }
}

/** What the lab shows, in the order of a VM's life: once ended by the agent, once by ACPI. */
async function showLife(command: (action: string, args: readonly string[]) => string[]): Promise<void> {
  const directory = "/var/lib/one/datastores/0/7";
  const xml = output(["scripts/lab", "domain", "one-7", "--vm-dir", directory, "--touch"]);
  for (const [how, document] of [["through its agent", xml], ["by ACPI, without agent", xml.replace(/<channel[\s\S]*?<\/channel>/, "")]] as const) {
    must(["scripts/lab", "exec", "hosta", `truncate -s 0 ${directory}/console.log`]);
    const uuid = show(command("deploy", [`${directory}/deployment.0`, "hosta", "7", "hosta"]), document);
    say("waiting for the guest to boot");
    await until(() => Bun.spawnSync(["scripts/lab", "exec", "hosta", `grep -q 'onevirt-guest ready' ${directory}/console.log`]).exitCode === 0);
    const poll = await pollUntilItMoves(command("poll", [uuid, "hosta", "7", "hosta"]));
    console.log(poll);
    const start = performance.now();
    show(command("shutdown", [uuid, "hosta", "7", "hosta"]));
    say(`shut down ${how} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
  show(command("poll", ["one-7", "hosta", "7", "hosta"]));
}

/** Real numbers: the guest reads and writes its disk and uses its network as soon as it is up. */
async function pollUntilItMoves(command: readonly string[]): Promise<string> {
  let line = "";
  await until(() => {
    line = output(command);
    return /DISKWRBYTES=[1-9]/.test(line) && /NET[RT]X=[1-9]/.test(line);
  });
  say(`$ ${command.at(-1)}`);
  return line;
}

/** Without root there is no hypervisor to set up; libvirt has a simulated one inside. */
async function onTheTestDriver(): Promise<void> {
  say("not root, or no apt: using libvirt's embedded test:///default. Not shown then: a real guest, ssh, CPU, memory, network and disk numbers, shutdown by agent and ACPI");
  const root = mkdtempSync(join(tmpdir(), "onevirt-demo-"));
  try {
    must(["dist/onevirt", "remotes", "write", join(root, "tree")]);
    mkdirSync(join(root, "tree/etc/vmm/kvm"), { recursive: true });
    writeFileSync(join(root, "tree/etc/vmm/kvm/kvmrc"), "export LIBVIRT_URI=test:///default\n");
    writeFileSync(join(root, "tree/onevirt/onevirt.conf"), `LOCK_DIRECTORY=${root}/locks\nSTATE_DIRECTORY=${root}/state\n`);
    const launcher = (action: string, ...args: string[]) => [join(root, "tree/vmm/kvm", action), ...args];
    show(launcher("deploy", join(root, "7/deployment.0"), "here", "7", "here"), "<domain type='test'><name>one-7</name><memory>65536</memory><os><type>hvm</type></os></domain>\n");
    show(launcher("poll", "-t"));
    show(launcher("reboot", "test", "here", "1", "here"));
    show(launcher("shutdown", "test", "here", "1", "here"));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function show(command: readonly string[], stdin = ""): string {
  say(`$ ${command.length > 3 && command[1] === "exec" ? command.at(-1) : command.join(" ")}${stdin ? " < document" : ""}`);
  const text = output(command, stdin);
  if (text !== "") console.log(text);
  return text;
}

function output(command: readonly string[], stdin = ""): string {
  const { exitCode, stdout } = Bun.spawnSync([...command], { stdin: Buffer.from(stdin), stdout: "pipe", stderr: "inherit" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}`);
  return stdout.toString().trim();
}

function must(command: readonly string[]): void {
  const { exitCode } = Bun.spawnSync([...command], { stdio: ["ignore", "ignore", "inherit"] });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}`);
}

async function until(condition: () => boolean, seconds = 120): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`nothing happened within ${seconds} s`);
    await Bun.sleep(300);
  }
}

function say(text: string): void {
  console.error(`demo: ${text}`);
}

/** A directory that oneadmin can enter. */
function openTemporary(prefix: string): string {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  chmodSync(directory, 0o755);
  return directory;
}
