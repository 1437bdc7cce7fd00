const DEFAULT_REMOTE_DIRECTORY = "/var/tmp/one";

/** Where hosts keep the scripts, from the file that oned writes at its start (driver-protocol.md 1.3): last value, without one pair of quotes. */
export function scriptsRemoteDirectory(config: string | undefined): string {
  const values = (config ?? "").split("\n").flatMap((line) => {
    const found = /^([^=]+)=(.*)$/.exec(line);
    return found?.[1]?.trim().toUpperCase() === "SCRIPTS_REMOTE_DIR" ? [unquoted((found[2] ?? "").trim())] : [];
  });
  return values.at(-1)?.replace(/(.)\/+$/, "$1") || DEFAULT_REMOTE_DIRECTORY;
}

function unquoted(value: string): string {
  return /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
}
