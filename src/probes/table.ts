import type { Probe } from "./probe.ts";

/** The one list of what the monitoring probes report, by `category/name` as `onevirt probe` takes it. Order inside a category is the byte order of `file`. */
export const probes = {
  "host/beacon/date": {
    summary: "Say that the host lives",
    category: "host/beacon",
    file: "date.sh",
    limitSeconds: 5,
    load: () => import("./beacon.ts"),
  },
  "host/system/architecture": {
    summary: "Report the machine type",
    category: "host/system",
    file: "architecture.sh",
    limitSeconds: 5,
    load: () => import("./architecture.ts"),
  },
  "host/system/clean_db": {
    summary: "Remove the time series of VMs that are long gone",
    category: "host/system",
    file: "clean_db.rb",
    limitSeconds: 10,
    effect: "it removes files",
    load: () => import("./clean-series.ts"),
  },
  "host/system/cpu": {
    summary: "Report the processor's name",
    category: "host/system",
    file: "cpu.sh",
    limitSeconds: 5,
    load: () => import("./cpu-model.ts"),
  },
  "host/system/cpu_features": {
    summary: "Report the processor's features by libvirt's names",
    category: "host/system",
    file: "cpu_features.sh",
    limitSeconds: 20,
    load: () => import("./cpu-features.ts"),
  },
  "host/system/linux_host": {
    summary: "Report processors, memory and cgroups of the host",
    category: "host/system",
    file: "linux_host.rb",
    limitSeconds: 15,
    load: () => import("./host-facts.ts"),
  },
  "host/system/machines_models": {
    summary: "Report machines and CPU models that guests can be given",
    category: "host/system",
    file: "machines_models.rb",
    limitSeconds: 30,
    load: () => import("./machine-models.ts"),
  },
  "host/system/memory_encryption": {
    summary: "Report the kind of encrypted guests that the host can run",
    category: "host/system",
    file: "memory_encryption.rb",
    limitSeconds: 15,
    load: () => import("./memory-encryption.ts"),
  },
  "host/system/monitor_ds": {
    summary: "Report room in the datastores of this host",
    category: "host/system",
    file: "monitor_ds.rb",
    limitSeconds: 40,
    load: () => import("./datastores.ts"),
  },
  "host/system/name": {
    summary: "Report the host's own name",
    category: "host/system",
    file: "name.sh",
    limitSeconds: 5,
    load: () => import("./host-name.ts"),
  },
  "host/system/nfs_automounted": {
    summary: "Report where datastores that OpenNebula mounts come from",
    category: "host/system",
    file: "nfs_automounted.rb",
    limitSeconds: 15,
    load: () => import("./nfs-mounts.ts"),
  },
  "host/system/numa_host": {
    summary: "Report pages, cores and distances of each NUMA node",
    category: "host/system",
    file: "numa_host.rb",
    limitSeconds: 10,
    load: () => import("./numa-topology.ts"),
  },
  "host/system/pci": {
    summary: "Report the PCI devices that pci.conf selects",
    category: "host/system",
    file: "pci.rb",
    limitSeconds: 20,
    load: () => import("./pci-devices.ts"),
  },
  "host/system/version": {
    summary: "Report the version of the remotes tree",
    category: "host/system",
    file: "version.sh",
    limitSeconds: 5,
    load: () => import("./tree-version.ts"),
  },
  "host/system/wild_vm": {
    summary: "Report domains that OpenNebula did not start, for import",
    category: "host/system",
    file: "wild_vm.rb",
    limitSeconds: 30,
    load: () => import("./wild-vms.ts"),
  },
  "host/monitor/linux_usage": {
    summary: "Report processor, memory and network use of the host",
    category: "host/monitor",
    file: "linux_usage.rb",
    limitSeconds: 15,
    load: () => import("./host-usage.ts"),
  },
  "host/monitor/numa_usage": {
    summary: "Report free pages and memory of each NUMA node",
    category: "host/monitor",
    file: "numa_usage.rb",
    limitSeconds: 10,
    load: () => import("./numa-usage.ts"),
  },
  "host/monitor/prediction": {
    summary: "Report network rates and forecasts of the host",
    category: "host/monitor",
    file: "prediction.sh",
    limitSeconds: 10,
    load: () => import("./host-prediction.ts"),
  },
  "vm/status/state": {
    summary: "Report VMs whose state changed, or all at a sync",
    category: "vm/status",
    file: "state.rb",
    limitSeconds: 10,
    load: () => import("./vm-status.ts"),
  },
  "vm/execution/exec": {
    summary: "Report commands in guests that have ended",
    category: "vm/execution",
    file: "exec.rb",
    limitSeconds: 30,
    effect: "a guest tells a result only once",
    load: () => import("./vm-execution.ts"),
  },
  "vm/monitor/monitor_ds_vm": {
    summary: "Report sizes of disks and their snapshots",
    category: "vm/monitor",
    file: "monitor_ds_vm.rb",
    limitSeconds: 60,
    load: () => import("./disk-sizes.ts"),
  },
  "vm/monitor/poll": {
    summary: "Report processor, memory, network and disk use of all VMs, and what their guests tell",
    category: "vm/monitor",
    file: "poll.rb",
    limitSeconds: 60,
    load: () => import("./vm-usage.ts"),
  },
  "vm/snapshot/recovery": {
    summary: "Take the snapshots from which VMs are recovered on another host",
    category: "vm/snapshot",
    file: "recovery.rb",
    limitSeconds: 600,
    effect: "it takes snapshots",
    load: () => import("./recovery-snapshots.ts"),
  },
  "collectd/architecture": {
    summary: "Report the machine type",
    category: "collectd",
    file: "architecture.sh",
    limitSeconds: 5,
    load: () => import("./architecture.ts"),
  },
  "collectd/collectd-client-shepherd": {
    summary: "Say nothing: stray clients are ended when one is started",
    category: "collectd",
    file: "collectd-client-shepherd.sh",
    limitSeconds: 5,
    load: () => import("./shepherd.ts"),
  },
  "collectd/cpu": {
    summary: "Report the processor's name",
    category: "collectd",
    file: "cpu.sh",
    limitSeconds: 5,
    load: () => import("./cpu-model.ts"),
  },
  "collectd/kvm": {
    summary: "Report processors, memory and network of the host, and what of them is in use",
    category: "collectd",
    file: "kvm.rb",
    limitSeconds: 15,
    load: () => import("./collectd-host.ts"),
  },
  "collectd/machines-models": {
    summary: "Report machines and CPU models that guests can be given, since 5.6",
    category: "collectd",
    file: "machines-models.rb",
    limitSeconds: 30,
    load: () => import("./collectd-machines.ts"),
  },
  "collectd/monitor_ds": {
    summary: "Report room in all datastores, and sizes of disks in those of this host",
    category: "collectd",
    file: "monitor_ds.sh",
    limitSeconds: 30,
    load: () => import("./collectd-datastores.ts"),
  },
  "collectd/name": {
    summary: "Report the host's own name",
    category: "collectd",
    file: "name.sh",
    limitSeconds: 5,
    load: () => import("./host-name.ts"),
  },
  "collectd/numa": {
    summary: "Report pages, cores, memory and distances of each NUMA node, since 5.10",
    category: "collectd",
    file: "numa.rb",
    limitSeconds: 10,
    load: () => import("./collectd-numa.ts"),
  },
  "collectd/pci": {
    summary: "Report the PCI devices that pci.conf selects",
    category: "collectd",
    file: "pci.rb",
    limitSeconds: 20,
    load: () => import("./collectd-pci.ts"),
  },
  "collectd/poll": {
    summary: "Report all VMs, as poll -t does",
    category: "collectd",
    file: "poll.sh",
    last: true,
    limitSeconds: 30,
    load: () => import("./collectd-vms.ts"),
  },
  "collectd/version": {
    summary: "Report the version of the remotes tree",
    category: "collectd",
    file: "version.sh",
    limitSeconds: 5,
    load: () => import("./tree-version.ts"),
  },
} as const satisfies Record<string, Probe>;

export type ProbeName = keyof typeof probes;

/** The row of a name, or undefined. */
export function findProbe(name: string): Probe | undefined {
  return Object.hasOwn(probes, name) ? (probes as Record<string, Probe>)[name] : undefined;
}

/** The row that takes the place of a file in a category's directory, or undefined: then it is somebody else's program. */
export function probeFor(category: string, file: string): Probe | undefined {
  return Object.values(probes as Record<string, Probe>).find((probe) => probe.category === category && probe.file === file);
}
