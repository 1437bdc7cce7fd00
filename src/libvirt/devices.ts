import type { DomainAccess } from "./domain-access.ts";
import { VIR } from "./numbers.ts";

/** Devices, memory and processors of running domains, whole and blocking: the thread's side of `DevicePort`. */
export class BlockingDevices {
  constructor(private readonly access: DomainAccess) {}

  attach(uuid: string, xml: string): void {
    this.access.run(uuid, `attach a device to domain ${uuid}`, (domain) => this.#calls.virDomainAttachDeviceFlags(domain, xml, VIR.VIR_DOMAIN_DEVICE_MODIFY_LIVE));
  }

  detach(uuid: string, xml: string): void {
    this.access.run(uuid, `detach a device from domain ${uuid}`, (domain) => this.#calls.virDomainDetachDeviceFlags(domain, xml, VIR.VIR_DOMAIN_DEVICE_MODIFY_LIVE));
  }

  update(uuid: string, xml: string, { force = false }: { readonly force?: boolean }): void {
    const flags = VIR.VIR_DOMAIN_DEVICE_MODIFY_LIVE | (force ? VIR.VIR_DOMAIN_DEVICE_MODIFY_FORCE : 0);
    this.access.run(uuid, `change a device of domain ${uuid}`, (domain) => this.#calls.virDomainUpdateDeviceFlags(domain, xml, flags));
  }

  setMemory(uuid: string, kib: number): void {
    this.access.run(uuid, `set the memory of domain ${uuid}`, (domain) => this.#calls.virDomainSetMemoryFlags(domain, BigInt(kib), VIR.VIR_DOMAIN_MEM_LIVE));
  }

  setVcpus(uuid: string, count: number, { hotpluggable = false }: { readonly hotpluggable?: boolean }): void {
    const flags = VIR.VIR_DOMAIN_VCPU_LIVE | (hotpluggable ? VIR.VIR_DOMAIN_VCPU_HOTPLUGGABLE : 0);
    this.access.run(uuid, `set the processors of domain ${uuid}`, (domain) => this.#calls.virDomainSetVcpusFlags(domain, count, flags));
  }

  resizeDisk(uuid: string, disk: string, bytes: number): void {
    this.access.run(uuid, `resize disk ${disk} of domain ${uuid}`, (domain) => this.#calls.virDomainBlockResize(domain, disk, BigInt(bytes), VIR.VIR_DOMAIN_BLOCK_RESIZE_BYTES));
  }

  get #calls() {
    return this.access.library.calls;
  }
}
