/** A file of the front-end: text and mode. */
export interface Launcher {
  readonly name: string;
  readonly text: string;
  readonly mode: number;
}

/** Names under which oned starts drivers (driver-protocol.md 7.3), and what each adds to the arguments. */
const NAMES = ["one_vmm_exec", "one_vmm_ssh", "one_vmm_sh"] as const;

/** Actions that `one_vmm_sh` runs on the front-end: all but those for the guest agent (7.3). */
export const LOCAL_ACTIONS =
  "deploy,shutdown,reboot,cancel,save,restore,migrate,poll,pre,post,clean,update_sg,snapshotcreate,snapshotrevert,snapshotdelete,attach_nic,detach_nic,update_nic,reset,prereconfigure,reconfigure,attach_disk,detach_disk,resize_disk,resize";

/** The arguments of a driver that was started as `name`. The option stands first, so that one of the administrator's own replaces it. */
export function argumentsFor(name: string, argv: readonly string[]): readonly string[] {
  const own = argv.length === 1 ? (argv[0] ?? "").trim().split(/\s+/) : argv;
  return name === "one_vmm_sh" ? ["-l", LOCAL_ACTIONS, ...own] : argv;
}

/**
 * The files that take the places of upstream's in `/usr/lib/one/mads` (issue: manual installation). A shell that only execs: it does not
 * read its stdin, oned's one argument stays one, and signals and pipes reach the executable. `executable` is tried first, then the
 * file beside the launcher, then the remotes tree.
 */
export function driverLaunchers(executable = "/usr/lib/onevirt/onevirt"): readonly Launcher[] {
  return NAMES.map((name) => ({ name, text: launcherText(name, executable), mode: 0o755 }));
}

function launcherText(name: string, executable: string): string {
  return `#!/bin/sh
# Starts onevirt as oned's driver process "${name}".
here=\${0%/*}
machine=$(uname -m)
if [ "$machine" = x86_64 ] && ! grep -q '^flags.* avx2' /proc/cpuinfo; then machine=x86_64-baseline; fi
remotes=\${ONE_LOCATION:+$ONE_LOCATION/var}
remotes=\${remotes:-/var/lib/one}/remotes
for onevirt in "\${ONEVIRT:-}" ${executable} "$here/onevirt" "$remotes/onevirt/onevirt-$machine"; do
  [ -n "$onevirt" ] && [ -x "$onevirt" ] && exec "$onevirt" driver --called ${name} "$@"
done
echo "INIT FAILURE - onevirt is not installed"
echo "${name}: Cannot find the onevirt executable for $machine" >&2
exit 1
`;
}
