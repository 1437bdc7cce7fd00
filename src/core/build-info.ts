/** The oldest libvirt whose functions may be used without asking. */
export const OLDEST_LIBVIRT = "4.5.0";

/** Set by the build (scripts/build.ts) through --define; absent when run from the sources. */
declare const ONEVIRT_BUILD: { readonly version: string; readonly buildId: string; readonly commit: string } | undefined;

const build = typeof ONEVIRT_BUILD === "undefined" ? { version: "0.0.0", buildId: "sources", commit: "unknown" } : ONEVIRT_BUILD;

/** What this executable is, for people and for the checks that compare hosts. */
export const buildInfo = {
  ...build,
  bun: Bun.version,
  target: `linux-${process.arch}`,
  libvirt: { oldest: OLDEST_LIBVIRT, newest: "no limit known; tried with 9.0.0" },
} as const;
