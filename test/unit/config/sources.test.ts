import { describe, expect, test } from "bun:test";
import { OnevirtError } from "../../../src/core/errors.ts";
import { findSources } from "../../../src/config/sources.ts";

const disk = (texts: Record<string, string>, secret?: string) => ({
  findText(path: string): string | undefined {
    if (path === secret) throw new OnevirtError("FILE_FAILED", `Cannot read "${path}": permission denied`);
    return texts[path];
  },
});

describe("findSources()", () => {
  test.each([
    [["/srv/one/etc/vmm/kvm/kvmrc", "/srv/one/vmm/kvm/kvmrc", "/var/tmp/one/etc/vmm/kvm/kvmrc"], "/srv/one/etc/vmm/kvm/kvmrc"],
    [["/srv/one/vmm/kvm/kvmrc", "/var/tmp/one/etc/vmm/kvm/kvmrc"], "/srv/one/vmm/kvm/kvmrc"],
    [["/var/tmp/one/etc/vmm/kvm/kvmrc"], "/var/tmp/one/etc/vmm/kvm/kvmrc"],
    [[], undefined],
  ])("findSources() of %j takes %p", (present, path) => {
    const files = disk(Object.fromEntries(present.map((name) => [name, name])));
    expect(findSources("/srv/one", files).kvmrc).toEqual(path === undefined ? undefined : { path, text: path });
  });

  test("findSources() says why the first existing file cannot be read, and takes no other", () => {
    const files = disk({ "/t/vmm/kvm/kvmrc": "" }, "/t/etc/vmm/kvm/kvmrc");
    expect(findSources("/t", files).kvmrc).toEqual({ path: "/t/etc/vmm/kvm/kvmrc", unreadable: "permission denied" });
  });

  test("findSources() gives the tree's onevirt.conf before the host's", () => {
    const files = disk({ "/etc/onevirt/onevirt.conf": "2", "/t/onevirt/onevirt.conf": "1" });
    expect(findSources("/t", files).own.map((source) => "text" in source && source.text)).toEqual(["1", "2"]);
  });
});
