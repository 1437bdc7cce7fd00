import { cdataElement } from "../element.ts";
import type { Contributor } from "../facts.ts";

const RULE = "VCPU processors, or VCPU of VCPU_MAX when more can be plugged in";

/** `<vcpu>`; without VCPU and VCPU_MAX libvirt gives the domain one processor. */
export const vcpu: Contributor = ({ vcpu, vcpuMax }) => {
  if (vcpuMax.text !== "") return [cdataElement("vcpu", vcpuMax, { rule: RULE }, { current: vcpu })];
  return vcpu.text === "" ? [] : [cdataElement("vcpu", vcpu, { rule: RULE })];
};
