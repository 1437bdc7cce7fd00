/** The first words of our launchers, by which they are known again. */
export const LAUNCHER_MARK = "# Launcher of onevirt:";

/** Whether a text starts as our launchers do, of whatever version. */
export function isLauncher(text: string): boolean {
  return text.split("\n", 2)[1]?.startsWith(LAUNCHER_MARK) ?? false;
}
