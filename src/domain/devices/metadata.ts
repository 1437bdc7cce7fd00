import { cdataElement, type DomainNode, element, textElement } from "../element.ts";
import type { Contributor, Facts } from "../facts.ts";
import { ofDocument } from "../input.ts";
import { derived, type Value } from "../source.ts";

const NAMESPACE = "http://opennebula.org/xmlns/libvirt/1.0";

/** `<metadata>`: what programs on the host ask libvirt about the VM. CDATA on one line is part of that interface. */
export const metadata: Contributor = (facts) => {
  const vm = element("one:vm", { "xmlns:one": NAMESPACE }, fields(facts), { layout: { quote: '"' } });
  return [element("metadata", {}, [vm], { rule: "OpenNebula's facts about the VM, for programs on the host" })];
};

function fields({ input, systemDirectory, name }: Facts): readonly DomainNode[] {
  const { vm } = input;
  const text = (field: string, value: Value) => textElement(`one:${field}`, value);
  const section = (field: string, value: Value) => cdataElement(`one:${field}`, value);
  return [
    section("system_datastore", systemDirectory),
    section("name", name),
    section("uname", ofDocument("UNAME", vm.userName)),
    text("uid", ofDocument("UID", vm.uid)),
    section("gname", ofDocument("GNAME", vm.groupName)),
    text("gid", ofDocument("GID", vm.gid)),
    text("opennebula_version", input.oneVersion),
    text("stime", ofDocument("STIME", vm.startTime)),
    text("deployment_time", input.deploymentTime),
    text("pci_devices", pciDevices(input.levels.vm)),
  ];
}

/** `vendor:device:class` of every PCI device, so that monitoring can tell a VM with a graphics processor. */
function pciDevices(vm: Facts["vm"]): Value {
  const keys = ["VENDOR", "DEVICE", "CLASS"];
  const devices = vm.vectors("PCI").map((view) => keys.map((key) => view.get(key)));
  const text = devices.map((each) => each.map((value) => value.text).join(":")).join(",").toLowerCase();
  return derived(text, ...devices.flat());
}
