/** Names that may be given to ssh: a host that looks like an option, or holds a blank or shell text, is refused (driver-protocol.md 18.2). */
export function isHostName(host: string): boolean {
  return /^[A-Za-z0-9_[:][\w.:%@[\]-]*$/.test(host);
}

/**
 * Options of every ssh and scp of ours: a host that is not there is noticed in time, and nobody is asked for a password
 * (driver-protocol.md 18.3). Everything else is the business of the wrapper in PATH and of the user's configuration (9.4).
 */
function options(connectSeconds: number): readonly string[] {
  return ["-o", "BatchMode=yes", "-o", `ConnectTimeout=${connectSeconds}`, "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"];
}

/** Actions of `-d` take the agent along, and a connection of their own: a shared one has the agent of whoever opened it. */
const FORWARDING = ["-o", "ForwardAgent=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"];

/** A shell on a host that reads our program. */
export function shellCommand(host: string, shell: string, forward: boolean, connectSeconds: number): readonly string[] {
  return ["ssh", ...options(connectSeconds), ...(forward ? FORWARDING : []), host, shell, "-s"];
}

/** The directory of the scripts on a host. ssh joins words for the remote shell, so the caller quotes them. */
export function makeDirectoryCommand(host: string, quotedDirectory: string, connectSeconds: number): readonly string[] {
  return ["ssh", "-n", ...options(connectSeconds), host, "mkdir", "-p", quotedDirectory];
}

/** The copy of the front-end's tree (driver-protocol.md 9.7). */
export function copyCommand(sources: readonly string[], host: string, directory: string, connectSeconds: number): readonly string[] {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return ["scp", ...options(connectSeconds), "-rp", ...sources, `${name}:${directory}`];
}
