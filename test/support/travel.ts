import type { Result } from "./executable-tree.ts";
import { type Guest, type Host, until } from "./lab.ts";

/** Inside a guest: counts in memory and on its disk, every 0.1 s. */
export const WRITER = "(i=0; while :; do i=$((i+1)); echo $i > /run/count; printf '%-16s' $i | dd of=/dev/vda bs=16 count=1 conv=fsync 2>/dev/null; sleep 0.1; done) >/dev/null 2>&1 &";

/** Progress is told only of migrations that take long: which do depends on the machine. */
export function withoutProgress({ stderr, ...result }: Result): Result {
  return { ...result, stderr: stderr.replace(/^INFO: migrate: Migration of "[^"]*": \d+ s: .*\n/gm, "") };
}

/** How far the writer in memory is, as the guest's agent says it. */
export async function countOf(guest: Guest, host: Host): Promise<number> {
  return Number(await guest.inside(host, "cat /run/count"));
}

/** How far it is on the disk. */
async function writtenOf(guest: Guest, host: Host): Promise<number> {
  return Number(await guest.inside(host, "dd if=/dev/vda bs=16 count=1 2>/dev/null"));
}

/**
 * Migrates a guest that counts, there and back, so many times in a row; gives the hosts that it came to. Throws when a migration fails,
 * when both or none of the hosts run it, when a number was lost from memory or disk, or when it does not go on writing.
 */
export async function travel(guest: Guest, rounds: number, migrate: (from: Host, to: Host) => Promise<Result>): Promise<readonly Host[]> {
  const hosts: readonly [Host, Host] = ["hosta", "hostb"];
  const visited: Host[] = [];
  for (let round = 0; round < rounds; round++) {
    const [from, to] = round % 2 === 0 ? hosts : ([hosts[1], hosts[0]] as const);
    await move(guest, from, to, migrate);
    visited.push(to);
  }
  return visited;
}

async function move(guest: Guest, from: Host, to: Host, migrate: (from: Host, to: Host) => Promise<Result>): Promise<void> {
  const before = await Promise.all([countOf(guest, from), writtenOf(guest, from)]);
  const { exitCode, stdout, stderr } = withoutProgress(await migrate(from, to));
  if (exitCode !== 0 || stdout !== "" || stderr !== "") throw new Error(`the migration to ${to} ended with ${exitCode}: ${stdout}${stderr}`);
  const states = (await Promise.all([guest.state(from), guest.state(to)])).join(", ");
  if (states !== "gone, running") throw new Error(`after the migration to ${to}: ${states}`);
  const after = await Promise.all([countOf(guest, to), writtenOf(guest, to)]);
  if (after[0] < before[0] || after[1] < before[1]) throw new Error(`lost on the way to ${to}: ${before.join(", ")} became ${after.join(", ")}`);
  await until("the guest goes on writing to its disk", async () => (await writtenOf(guest, to)) > after[1], 10);
}
