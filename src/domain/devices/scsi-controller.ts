import { element } from "../element.ts";
import { type Contributor, queues } from "../facts.ts";
import { byRule, orElse } from "../source.ts";
import { planDisks } from "./disk-plan.ts";

/** The virtio-scsi controller, also in VMs without SCSI disks: one can be plugged in later. */
export const scsiController: Contributor = (facts) => {
  const count = orElse(queues(facts.all.keyText("FEATURES", "VIRTIO_SCSI_QUEUES"), facts.vcpu), byRule("1", "no usable VIRTIO_SCSI_QUEUES: one queue"));
  const driver = element("driver", { queues: count, iothread: planDisks(facts).nextIoThread }, undefined, { rule: "FEATURES/VIRTIO_SCSI_QUEUES; auto is one per processor" });
  return [element("controller", { type: "scsi", index: "0", model: "virtio-scsi" }, [driver], { rule: "every domain has a virtio-scsi controller" })];
};
