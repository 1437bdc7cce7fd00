import { cdataElement, type DomainNode, element, filled, type Part, textElement, warning } from "../element.ts";
import type { Contributor, Facts } from "../facts.ts";
import { derived, type Value } from "../source.ts";

/** `<os>`: what kind of machine it is and what it starts with. Boot order stands at the devices. */
export const os: Contributor = (facts) => {
  const { firmware, arch, machine } = facts;
  const type = textElement("type", "hvm", { rule: "the machine of OS/ARCH and OS/MACHINE" }, { arch, machine: filled(machine) });
  const attributes = firmware.kind === "auto" ? { firmware: derived("efi", firmware.value) } : {};
  return [element("os", attributes, [type, ...boot(facts), ...firmwareOf(facts)], { rule: "every domain has an operating system section" }), ...secureWarning(facts), ...uncheckedWarning(facts)];
};

/** `<pm>`: sleep states confuse a guest with a firmware image; virtual ARM machines have none. */
export const powerManagement: Contributor = ({ firmware, arch }) => {
  if (firmware.kind !== "path" || arch.text === "aarch64") return [];
  const never = { layout: { quote: '"' }, because: [firmware.value] } as const;
  return [element("pm", {}, [element("suspend-to-disk", { enabled: "no" }, undefined, never), element("suspend-to-mem", { enabled: "no" }, undefined, never)],
    { because: [firmware.value], rule: "a firmware image switches sleep states off" })];
};

/** Kernel, ramdisk and command line go together; a boot loader is named only without a kernel. */
function boot({ all }: Facts): readonly DomainNode[] {
  const kernel = all.keyText("OS", "KERNEL");
  const bootloader = all.keyText("OS", "BOOTLOADER");
  if (kernel.text === "") return bootloader.text === "" ? [] : [cdataElement("bootloader", bootloader, { rule: "OS/BOOTLOADER without OS/KERNEL" })];
  const because = [kernel];
  const initrd = all.keyText("OS", "INITRD");
  const command = commandLine(all.keyText("OS", "ROOT"), all.keyText("OS", "KERNEL_CMD"));
  return [
    cdataElement("kernel", kernel, { rule: "OS/KERNEL is booted directly" }),
    ...(initrd.text === "" ? [] : [cdataElement("initrd", initrd, { because, rule: "OS/INITRD goes with OS/KERNEL" })]),
    ...(command.text === "" ? [] : [cdataElement("cmdline", command, { because, rule: "root=/dev/ROOT and KERNEL_CMD" })]),
  ];
}

/** Compat: the blank behind the root device stays when nothing follows. */
function commandLine(root: Value, command: Value): Value {
  return root.text === "" ? command : derived(`root=/dev/${root.text} ${command.text}`, root, command);
}

function firmwareOf(facts: Facts): readonly DomainNode[] {
  const { firmware, firmwareSecure } = facts;
  const secure = derived(firmwareSecure.on ? "yes" : "no", firmwareSecure);
  if (firmware.kind === "auto") {
    const feature = element("feature", { enabled: secure, name: "secure-boot" });
    return [element("firmware", {}, [feature], { because: [firmware.value], rule: "UEFI: libvirt chooses the firmware, with or without secure boot" })];
  }
  if (firmware.kind === "bios") return [];
  const loader = textElement("loader", firmware.value, { layout: { quote: '"' }, rule: "OS/FIRMWARE is the path of a firmware image" }, { readonly: "yes", type: "pflash", secure });
  return [loader, nvram(facts)];
}

/** Compat: the file carries the VM's name, because deploy, backup and files of earlier starts expect it there. */
function nvram({ all, firmware, name, systemDirectory }: Facts): DomainNode {
  const path = derived(`${systemDirectory.text}/${name.text}_VARS.fd`, systemDirectory, name);
  const format = all.keyText("OS", "FIRMWARE_FORMAT");
  const isQcow2 = format.text.toLowerCase() === "qcow2";
  return textElement("nvram", path, { because: [firmware.value], layout: { quote: '"' }, rule: "variables of the firmware stand in the VM's directory" }, { format: isQcow2 ? derived("qcow2", format) : undefined });
}

/** OpenNebula holds firmware images of VMs and defaults to a list, those of host and cluster not. */
function uncheckedWarning({ firmware: { kind, value }, inherited }: Facts): readonly Part[] {
  const listed = inherited.text("OVMF_UEFIS").text.split(/\s+/).includes(value.text);
  const level = value.sources[0]?.kind ?? "";
  return kind === "path" && !listed && ["host", "cluster"].includes(level) ? [warning(`FIRMWARE ${value.text} of the ${level} is not one of OVMF_UEFIS.`)] : [];
}

function secureWarning({ all, firmwareSecure }: Facts): readonly Part[] {
  const asked = all.keyText("OS", "FIRMWARE_SECURE").text;
  return !firmwareSecure.on && ["TRUE", "1", "ON"].includes(asked.toUpperCase())
    ? [warning(`FIRMWARE_SECURE "${asked}" is not understood, secure boot stays off: only YES switches it on.`)]
    : [];
}
