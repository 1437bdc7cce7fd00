import { type DomainNode, element, type Part, warning } from "../element.ts";
import { type Facts, ownFlag } from "../facts.ts";
import { byRule, orElse } from "../source.ts";
import type { Disk } from "./disk-plan.ts";

/** `<filesystem>`: a directory of the host, shared through OpenNebula's wrapper of virtiofsd. */
export function filesystem({ inherited }: Facts, { view }: Disk): readonly Part[] {
  const readOnly = ownFlag(view, "READONLY").on;
  const children: readonly DomainNode[] = [
    element("driver", { type: "virtiofs", queue: "1024" }),
    element("binary", { path: "/var/tmp/one/vmm/kvm/virtiofsd.sh", xattr: "on" }, [element("cache", { mode: "always" }), element("sandbox", { mode: "namespace" })]),
    element("source", { dir: view.get("SOURCE") }),
    element("target", { dir: view.get("MOUNT_TAG") }),
    ...(readOnly ? [element("readonly", {}, undefined, { because: [view.get("READONLY")], rule: "READONLY=YES" })] : []),
    element("idmap", {}, [idMap("uid", inherited), idMap("gid", inherited)]),
  ];
  const share = element("filesystem", { type: "mount", accessmode: "passthrough" }, children, { because: [view.presence, view.get("TYPE")], rule: "a DISK of TYPE FILESYSTEM is a shared directory" });
  return [share, ...(readOnly ? [warning("libvirt 9.0 refuses READONLY on a shared directory.")] : [])];
}

/** Ids of the guest start at UID_MAP and GID_MAP of the host; a VM cannot choose them. */
function idMap(name: "uid" | "gid", inherited: Facts["inherited"]): DomainNode {
  const key = `${name.toUpperCase()}_MAP`;
  const target = orElse(inherited.keyText("DISK", key), byRule("100000", `no ${key} anywhere`));
  return element(name, { start: "0", target, count: "65536" }, undefined, { rule: `DISK/${key} of host, cluster or defaults` });
}
