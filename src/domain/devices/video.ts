import { element, warning } from "../element.ts";
import { cannot, type Contributor, type Facts } from "../facts.ts";
import { derived, type Value } from "../source.ts";

/** `<video>`, when the VM has VIDEO; keys it leaves out come from host, cluster or defaults. */
export const video: Contributor = (facts) => {
  const own = facts.vm.vectors("VIDEO")[0];
  if (!own) return [];
  const type = facts.all.keyText("VIDEO", "TYPE");
  if (type.text === "") return [warning("VIDEO without TYPE, ignored.")];
  return [element("video", {}, [...driver(facts, type), model(facts, type)], { because: [own.presence, type], rule: "VIDEO of the VM" })];
};

function driver({ all }: Facts, type: Value): readonly ReturnType<typeof element>[] {
  const iommu = all.keyFlag("VIDEO", "IOMMU");
  const ats = all.keyFlag("VIDEO", "ATS");
  if (type.text !== "virtio" || !(iommu.on || ats.on)) return [];
  const attributes = { iommu: iommu.on ? derived("on", iommu) : undefined, ats: ats.on ? derived("on", ats) : undefined };
  return [element("driver", attributes, undefined, { because: [type, iommu.on ? iommu : ats], rule: "IOMMU and ATS of a virtio display" })];
}

function model(facts: Facts, type: Value): ReturnType<typeof element> {
  const lower = type.text.toLowerCase();
  const vram = facts.all.keyInteger("VIDEO", "VRAM");
  const attributes = { type: derived(lower, type), vram: vram.count >= 1024 && lower !== "none" ? derived(vram.count, vram) : undefined };
  return element("model", attributes, resolution(facts, lower));
}

function resolution(facts: Facts, type: string): readonly ReturnType<typeof element>[] {
  const value = facts.all.keyText("VIDEO", "RESOLUTION");
  if (value.text === "" || type === "none" || type === "cirrus") return [];
  const [width, height] = value.text.split("x").filter((piece) => piece !== "");
  if (width === undefined || height === undefined) throw cannot(facts.input, `VIDEO/RESOLUTION "${value.text}" is not WIDTHxHEIGHT`);
  return [element("resolution", { x: derived(width, value), y: derived(height, value) }, undefined, { because: [value], rule: "VIDEO/RESOLUTION" })];
}

