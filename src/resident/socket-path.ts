import { buildInfo } from "../core/build-info.ts";

/** Where the agent of this very build listens: another build may speak another protocol, and is left alone. The directory is oneadmin's alone. */
export const RESIDENT_DIRECTORY = "/run/one/onevirt";

export function residentSocket(directory = RESIDENT_DIRECTORY): string {
  return `${directory}/libvirt-${buildInfo.buildId}.sock`;
}
