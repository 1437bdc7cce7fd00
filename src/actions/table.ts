import type { Action } from "./action.ts";

const host = { name: "host", about: "host name as OpenNebula knows it", optional: true, mayBeEmpty: true } as const;
const vmid = { name: "vmid", about: "number of the VM in OpenNebula", optional: true, mayBeEmpty: true } as const;
const hostAgain = { name: "host-again", about: "host name once more, as the driver appends it to every call", optional: true, mayBeEmpty: true } as const;
const deployId = { name: "deploy-id", about: "libvirt name, UUID or id of the domain" } as const;
const snapshot = { name: "snapshot", about: "name that snapshot_create answered" } as const;
const numberOfVm = { name: "vmid", about: "number of the VM in OpenNebula" } as const;

/** The one list of what onevirt does for oned. Launchers, help, completion, reference and contract tests follow from it. */
export const actions = {
  deploy: {
    summary: "Start a VM from its deployment file",
    script: "vmm/kvm/deploy",
    arguments: [{ name: "deployment-file", about: "where the domain document is kept on this host, VMDIR/deployment.N" }, host, vmid, hostAgain],
    stdin: "domain",
    stdout: "deploy-id",
    settings: ["LIBVIRT_URI", "OVMF_NVRAM", "CLEANUP_MEMORY_ON_START", "QEMU_IMG", "SUDO"],
    limitSeconds: 900,
    failure: "Could not create domain from {1}",
    load: () => import("./deploy.ts"),
  },
  shutdown: {
    summary: "Ask the guest to power off and wait until it has",
    script: "vmm/kvm/shutdown",
    arguments: [deployId, host, vmid, hostAgain],
    stdin: "none",
    stdout: "none",
    settings: ["LIBVIRT_URI", "SHUTDOWN_TIMEOUT", "FORCE_DESTROY", "CANCEL_NO_ACPI", "CLEANUP_MEMORY_ON_STOP", "SUDO"],
    limitSeconds: 120,
    limitAdds: "SHUTDOWN_TIMEOUT",
    failure: "Could not shutdown {1}",
    load: () => import("./shutdown.ts"),
  },
  cancel: {
    summary: "Power a VM off at once",
    script: "vmm/kvm/cancel",
    arguments: [{ ...deployId, mayBeEmpty: true }, host, vmid, hostAgain],
    stdin: "none",
    stdout: "none",
    settings: ["LIBVIRT_URI", "CLEANUP_MEMORY_ON_STOP", "SUDO"],
    limitSeconds: 60,
    failure: "Could not destroy {1}",
    load: () => import("./cancel.ts"),
  },
  reboot: {
    summary: "Ask the guest to restart",
    script: "vmm/kvm/reboot",
    arguments: [deployId, host, vmid, hostAgain],
    stdin: "none",
    stdout: "none",
    settings: ["LIBVIRT_URI"],
    limitSeconds: 60,
    failure: "Could not reboot domain {1}",
    load: () => import("./reboot.ts"),
  },
  reset: {
    summary: "Restart a VM as its reset button would",
    script: "vmm/kvm/reset",
    arguments: [deployId, host, vmid, hostAgain],
    stdin: "none",
    stdout: "none",
    settings: ["LIBVIRT_URI"],
    limitSeconds: 60,
    failure: "Could not reset domain {1}",
    load: () => import("./reset.ts"),
  },
  save: {
    summary: "Stop a VM and keep its memory in a file",
    script: "vmm/kvm/save",
    arguments: [deployId, { name: "checkpoint-file", about: "where the memory is kept on this host, VMDIR/checkpoint" }, host, vmid, hostAgain],
    stdin: "message",
    stdout: "none",
    settings: ["LIBVIRT_URI", "CLEANUP_MEMORY_ON_STOP", "SUDO", "RBD"],
    limitSeconds: null,
    failure: "Could not save {1}",
    load: () => import("./save.ts"),
  },
  restore: {
    summary: "Start a VM from the memory that save kept",
    script: "vmm/kvm/restore",
    arguments: [{ name: "checkpoint-file", about: "the file that save wrote, VMDIR/checkpoint" }, host, { ...deployId, optional: true, mayBeEmpty: true }, vmid, hostAgain],
    stdin: "message",
    stdout: "none",
    settings: ["LIBVIRT_URI", "VIRSH_RETRIES", "SYNC_TIME", "CLEANUP_MEMORY_ON_START", "SUDO", "RBD"],
    limitSeconds: null,
    failure: "Could not restore from {1}",
    load: () => import("./restore.ts"),
  },
  snapshot_create: {
    summary: "Take a snapshot of memory and disks",
    script: "vmm/kvm/snapshot_create",
    arguments: [deployId, { name: "snapshot-id", about: "number of the snapshot in OpenNebula" }, vmid, host],
    stdin: "none",
    stdout: "snapshot-name",
    settings: ["LIBVIRT_URI"],
    limitSeconds: null,
    failure: "Could not create snapshot for domain {1}",
    load: () => import("./snapshot-create.ts"),
  },
  snapshot_delete: {
    summary: "Delete a snapshot",
    script: "vmm/kvm/snapshot_delete",
    arguments: [deployId, snapshot, vmid, host],
    stdin: "none",
    stdout: "none",
    settings: ["LIBVIRT_URI"],
    limitSeconds: null,
    failure: "Could not delete snapshot for domain {1}",
    load: () => import("./snapshot-delete.ts"),
  },
  snapshot_revert: {
    summary: "Put a VM back to a snapshot",
    script: "vmm/kvm/snapshot_revert",
    arguments: [deployId, snapshot, vmid, host],
    stdin: "none",
    stdout: "none",
    settings: ["LIBVIRT_URI"],
    limitSeconds: null,
    failure: "Could not revert to snapshot for domain {1}",
    load: () => import("./snapshot-revert.ts"),
  },
  exec: {
    summary: "Start a command inside a guest",
    script: "vmm/kvm/exec",
    arguments: [numberOfVm, { name: "host", about: "host name as OpenNebula knows it", mayBeEmpty: true }, { name: "command", about: "the command line, divided into words as a shell would" }, { name: "stdin", about: "input of the command, base64", optional: true, mayBeEmpty: true }],
    stdin: "none",
    stdout: "none",
    settings: ["LIBVIRT_URI"],
    limitSeconds: 60,
    failure: "Error executing the command in VM {1}",
    load: () => import("./exec.ts"),
  },
  exec_cancel: {
    summary: "Kill the command that exec started",
    script: "vmm/kvm/exec_cancel",
    arguments: [numberOfVm, host],
    stdin: "none",
    stdout: "none",
    settings: ["LIBVIRT_URI"],
    limitSeconds: 60,
    failure: "Error cancelling the command in VM {1}",
    load: () => import("./exec-cancel.ts"),
  },
  poll: {
    summary: "Report state and load of one VM, or of all (OpenNebula 5.4 to 5.10)",
    script: "vmm/kvm/poll",
    arguments: [{ name: "deploy-id", about: "one domain; -t for all as templates; nothing for all as deflated YAML", optional: true }, host, vmid, hostAgain],
    stdin: "none",
    stdout: "poll",
    settings: ["LIBVIRT_URI"],
    limitSeconds: 30,
    readOnly: true,
    failure: "Could not monitor {1}",
    load: () => import("./poll.ts"),
  },
} as const satisfies Record<string, Action>;

export type ActionName = keyof typeof actions;

/** The row of a name, or undefined. Own keys only: "constructor" is no action. */
export function findAction(name: string): Action | undefined {
  return Object.hasOwn(actions, name) ? actions[name as ActionName] : undefined;
}
