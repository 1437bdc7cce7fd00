import { chmodSync, chownSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { OnevirtError } from "../core/errors.ts";
import { type Caller, checkPath, readPlain, writePlain } from "./caller-files.ts";

/** A TPM's state is some tens of kilobytes. */
const MAX_STATE_BYTES = 1024 * 1024;
const STATE = "tpm2-00.permall";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Where libvirt and swtpm keep the state of TPMs. */
export const SWTPM_DIRECTORY = "/var/lib/libvirt/swtpm";

/** Puts the kept state where swtpm will find it (actions.md 7.24). Without kept state there is nothing to do. */
export function recoverTpm(uuid: string, vmDirectory: string, caller: Caller, swtpm = SWTPM_DIRECTORY): void {
  const [place, kept] = [placeOf(uuid, swtpm), join(checkPath(vmDirectory, "the directory of the VM"), "tpm", STATE)];
  const state = caller.as(() => readPlain(kept, MAX_STATE_BYTES));
  if (!state) return;
  mkdirSync(place, { recursive: true, mode: 0o700 });
  chmodSync(join(place, ".."), 0o711);
  chmodSync(place, 0o700);
  chownSync(place, caller.uid, caller.gid);
  caller.as(() => {
    writePlain(join(place, ".lock"), new Uint8Array(), 0o640);
    writePlain(join(place, STATE), state, 0o600);
  });
}

/** Keeps the state beside the VM's disks. */
export function backupTpm(uuid: string, vmDirectory: string, caller: Caller, swtpm = SWTPM_DIRECTORY): void {
  const [place, kept] = [placeOf(uuid, swtpm), join(checkPath(vmDirectory, "the directory of the VM"), "tpm", STATE)];
  const state = readPlain(join(place, STATE), MAX_STATE_BYTES); // swtpm's user owns it
  if (!state) throw new OnevirtError("FILE_FAILED", `Cannot read "${join(place, STATE)}": there is no such file`);
  caller.as(() => writePlain(kept, state, 0o600));
}

function placeOf(uuid: string, swtpm: string): string {
  if (!UUID.test(uuid)) throw new OnevirtError("BAD_ARGUMENT", `${JSON.stringify(uuid.slice(0, 60))} is not a UUID`);
  if (!existsSync(swtpm)) throw new OnevirtError("FILE_FAILED", `"${swtpm}" does not exist: swtpm is not set up on this host`);
  return join(swtpm, uuid.toLowerCase(), "tpm2");
}
