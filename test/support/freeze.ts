import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";

/** Takes a process off the processor without stopping it: /proc shows it in an uninterruptible wait, as on storage that hangs. Thawed, it goes back to the group where it was. */
export function freeze(pid: string): Disposable {
  const old = existsSync("/sys/fs/cgroup/freezer"); // cgroups v1
  const root = old ? "/sys/fs/cgroup/freezer" : "/sys/fs/cgroup";
  const [file, frozen, thawed] = old ? (["freezer.state", "FROZEN", "THAWED"] as const) : (["cgroup.freeze", "1", "0"] as const);
  const before = (old ? /^\d+:freezer:(.*)$/m : /^0::(.*)$/m).exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "/";
  const group = `${root}/onevirt-test-${pid}`;
  mkdirSync(group);
  writeFileSync(`${group}/cgroup.procs`, pid);
  writeFileSync(`${group}/${file}`, frozen);
  return {
    [Symbol.dispose]: () => {
      writeFileSync(`${group}/${file}`, thawed);
      writeFileSync(`${root}${before}/cgroup.procs`, pid);
      rmdirSync(group);
    },
  };
}
