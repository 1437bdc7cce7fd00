import { element } from "../element.ts";
import type { Contributor } from "../facts.ts";

/** The channel of qemu-guest-agent, in a second `<devices>`: libvirt adds them up. */
export const guestAgent: Contributor = ({ all }) => {
  const agent = all.keyFlag("FEATURES", "GUEST_AGENT");
  if (!agent.on) return [];
  const channel = element("channel", { type: "unix" }, [
    element("source", { mode: "bind" }, undefined, { layout: { joined: true } }),
    element("target", { type: "virtio", name: "org.qemu.guest_agent.0" }),
  ]);
  return [element("devices", {}, [channel], { because: [agent], rule: "FEATURES/GUEST_AGENT opens the channel of qemu-guest-agent" })];
};
