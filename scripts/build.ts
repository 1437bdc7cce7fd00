// Builds dist/onevirt, dist/remotes, dist/remotes-5.x and dist/mads. Run from the top of the checkout: `npm run build`.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { driverLaunchers } from "../src/driver/launcher.ts";
import { writeTree } from "../src/remotes/write.ts";

const top = join(import.meta.dir, "..");
process.chdir(top); // bytes depend on the directory relative to the sources (bun-notes 2)

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const info = { version, buildId: await buildId(), commit: commit() };

// Each flag has its reason in CONTRIBUTING.md, part "Build".
run([
  process.execPath, "build", "--compile", "--minify", "--sourcemap", "--bytecode", "--format=esm", "--splitting",
  "--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig", "--compile-jit-policy=8", "--compile-exec-argv=--disallow-code-generation-from-strings=strict",
  "--define", `ONEVIRT_BUILD=${JSON.stringify(info)}`,
  "src/main.ts", "src/worker.ts", "--outfile", "dist/onevirt",
]);
for (const map of new Bun.Glob("*.map").scanSync("dist")) rmSync(join("dist", map)); // embedded too
rmSync("dist/remotes", { recursive: true, force: true });
writeTree("dist/remotes", "dist/onevirt");
rmSync("dist/remotes-5.x", { recursive: true, force: true });
writeTree("dist/remotes-5.x", "dist/onevirt", "collectd");
writeMads("dist/mads");
console.log(`dist/onevirt ${info.version}, build ${info.buildId}, commit ${info.commit}`);

/** What went into the executable, as a hash: equal sources, equal id, whatever the clock or the directory says. */
async function buildId(): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  const sources = [...new Bun.Glob("{src,remotes}/**/*").scanSync({ dot: true }), "package-lock.json", "package.json", "scripts/build.ts"].sort();
  for (const path of sources) hash.update(`${path}\0`).update(await Bun.file(path).bytes()).update("\0");
  return hash.update(Bun.version).digest("hex").slice(0, 16);
}

function commit(): string {
  const { stdout, success } = Bun.spawnSync(["git", "rev-parse", "--short=12", "HEAD"]);
  return success ? stdout.toString().trim() : "unknown";
}

/** What takes the places of upstream's drivers in /usr/lib/one/mads. */
function writeMads(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const { name, text, mode } of driverLaunchers()) writeFileSync(join(directory, name), text, { mode });
}

function run(command: readonly string[]): void {
  const { exitCode } = Bun.spawnSync([...command], { stdio: ["ignore", "ignore", "inherit"] });
  if (exitCode !== 0) process.exit(exitCode);
}
