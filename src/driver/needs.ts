import type { Need } from "./action-table.ts";
import type { Facts } from "./facts.ts";

/** Why an action cannot begin, as the text of its failure; undefined when nothing is missing (driver-protocol.md 15, notes). */
export function missing(need: Need, facts: Facts): string | undefined {
  const { message, request } = facts;
  const expecting = (path: string) => `Cannot perform ${request.action}, expecting ${path}`;
  const unless = (present: boolean, text: string) => (present ? undefined : text);
  switch (need) {
    case "command": return unless(facts.holds("hasCommand"), expecting("TM_COMMAND"));
    case "attachTarget": return unless(facts.text("attachTarget") !== "", expecting("VM/TEMPLATE/DISK[ATTACH='YES']/TARGET"));
    case "resize": return missingResize(facts, expecting);
    case "liveSnapshot": return missingSnapshot(facts, expecting);
    case "backupDriver": return unless(message.text("DATASTORE/DS_MAD") !== "", expecting("DATASTORE/DS_MAD"));
    case "deploymentFile": return unless((facts.deployment?.length ?? 0) > 0, `Cannot open deployment file ${message.text("LOCAL_DEPLOYMENT_FILE")}`);
    case "mac": return unless(facts.text("mac") !== "", `Error in ${request.action}, MAC needed in NIC`);
    case "nicFields": return missingNicFields(facts);
    case "guestCommand": return unless(message.text("VM/TEMPLATE/QEMU_GA_EXEC/COMMAND") !== "", expecting("VM/TEMPLATE/QEMU_GA_EXEC/COMMAND"));
    case "destination": return unless(facts.destination !== "", expecting("MIGR_HOST"));
  }
}

function missingResize(facts: Facts, expecting: (path: string) => string): string | undefined {
  if (facts.text("resizeSize") === "") return expecting("VM/TEMPLATE/DISK[RESIZE='YES']/SIZE");
  return facts.text("resizeDisk") === "" ? expecting("VM/TEMPLATE/DISK[RESIZE='YES']/DISK_ID") : undefined;
}

/** A transfer driver must be known to snapshot the disks of this VM_MAD while they are in use. */
function missingSnapshot(facts: Facts, expecting: (path: string) => string): string | undefined {
  const vmMad = facts.message.text("VM/HISTORY_RECORDS/HISTORY/VM_MAD");
  const disk = facts.message.marked("VM/TEMPLATE/DISK", "DISK_SNAPSHOT_ACTIVE");
  const tmMad = disk?.text("TM_MAD") ?? "";
  if (vmMad === "") return expecting("VM/HISTORY_RECORDS/HISTORY/VM_MAD");
  if (tmMad === "") return expecting("VM/TEMPLATE/DISK[DISK_SNAPSHOT_ACTIVE='YES']/TM_MAD");
  const isThin = tmMad === "fs_lvm_ssh" && disk?.text("LVM_THIN_ENABLE")?.toLowerCase() === "yes";
  const allowed = facts.settings.liveDiskSnapshots.has(`${vmMad}-${isThin ? "lvm_thin" : tmMad}`);
  return allowed ? undefined : `Cannot perform a live ${facts.request.action} operation`;
}

/** Up to 7.2 a NIC without one of its fields was refused; later scripts get an empty argument (driver-protocol.md 15, ATTACHNIC). */
function missingNicFields(facts: Facts): string | undefined {
  if (facts.release >= 704 || facts.holds("isAlias")) return undefined;
  const values = ["networkDriver", "bridge", "nicTarget", "mac"] as const;
  return values.some((value) => facts.text(value) === "") ? "Missing VN_MAD, BRIDGE, TARGET or MAC in VM NIC" : undefined;
}
