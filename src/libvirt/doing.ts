import type { Doing } from "./guarded-port.ts";

/** What the operations of the smaller ports do, for the message of a call that nobody answered. */
export const DOING = {
  devices: {
    attach: (uuid) => `attach a device to domain ${uuid}`,
    detach: (uuid) => `detach a device from domain ${uuid}`,
    update: (uuid) => `change a device of domain ${uuid}`,
    setMemory: (uuid) => `set the memory of domain ${uuid}`,
    setVcpus: (uuid) => `set the processors of domain ${uuid}`,
    resizeDisk: (uuid, disk) => `resize disk ${disk} of domain ${uuid}`,
  },
  snapshots: {
    create: (uuid) => `take a snapshot of domain ${uuid}`,
    redefine: (uuid) => `redefine a snapshot of domain ${uuid}`,
    names: (uuid) => `list the snapshots of domain ${uuid}`,
    current: (uuid) => `find the current snapshot of domain ${uuid}`,
    xml: (uuid, name) => `read snapshot "${name}" of domain ${uuid}`,
    revert: (uuid, name) => `revert domain ${uuid} to snapshot "${name}"`,
    delete: (uuid, name) => `delete snapshot "${name}" of domain ${uuid}`,
  },
  images: {
    save: (uuid, path) => `save domain ${uuid} to ${path}`,
    xml: (path) => `read the document in ${path}`,
    restore: (path) => `restore the domain in ${path}`,
  },
  guest: {
    command: (uuid) => `ask the guest agent of domain ${uuid}`,
    freeze: (uuid) => `freeze the file systems of domain ${uuid}`,
    thaw: (uuid) => `thaw the file systems of domain ${uuid}`,
    syncTime: (uuid) => `set the clock of domain ${uuid}`,
  },
  jobs: {
    progress: (uuid) => `read the progress of domain ${uuid}`,
    abort: (uuid) => `abort the job of domain ${uuid}`,
    copyDisk: (uuid, disk) => `copy disk ${disk} of domain ${uuid}`,
    disk: (uuid, disk) => `read the job of disk ${disk} of domain ${uuid}`,
    endDisk: (uuid, disk) => `end the job of disk ${disk} of domain ${uuid}`,
    setMaxSpeed: (uuid) => `limit the migration of domain ${uuid}`,
    setMaxDowntime: (uuid) => `set the downtime of the migration of domain ${uuid}`,
    startPostCopy: (uuid) => `switch the migration of domain ${uuid} to post-copy`,
  },
  migration: {
    prepare: (source) => `connect to ${source}`,
    migrateFrom: (source, uuid) => `migrate domain ${uuid} from ${source}`,
    migrateToUri: (uuid, destination) => `migrate domain ${uuid} to ${destination}`,
  },
  node: {
    capabilities: () => "read the capabilities of the host",
    hostname: () => "ask the host for its name",
    domainCapabilities: () => "read the capabilities for domains",
    baselineCpu: () => "read the CPU that the host can give",
    compareCpu: () => "compare the CPU with the host's",
    cpuMhz: () => "read what the host has",
  },
} as const satisfies { readonly [O in "devices" | "snapshots" | "images" | "guest" | "jobs" | "migration" | "node"]: Doing<O> };
