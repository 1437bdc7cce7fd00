import { describe, expect, test } from "bun:test";
import { given } from "../../fakes/world.ts";
import { runProbe } from "./run.ts";

const DOCUMENT = "<domain><name>x</name><memory>1024</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os><devices/></domain>";
const host = () => given({ limitSeconds: 60, domains: [{ name: "wild-1", uuid: "aaaaaaaa-0001-4000-8000-000000000000", xml: DOCUMENT }, { name: "wild-2", uuid: "aaaaaaaa-0002-4000-8000-000000000000", xml: DOCUMENT }] });
const names = (text: string) => [...text.matchAll(/VM_NAME="([^"]*)"/g)].map(([, name]) => name);

describe("wild_vm", () => {
  test("leaves out a domain that vanishes meanwhile", async () => {
    using world = host();
    world.hypervisor.fails("domainXml", "DOMAIN_NOT_FOUND");
    expect([names(await runProbe("host/system/wild_vm", world)), world.log.lines]).toEqual([["wild-2"], []]);
  });

  test.each(["TIMED_OUT", "LIBVIRT_UNREACHABLE", "CONNECTION_LOST"] as const)("gave a list without the domains that libvirt did not tell of (%s), and OpenNebula took it for complete", async (code) => {
    using world = host();
    world.hypervisor.fails("domainXml", code);
    expect(await runProbe("host/system/wild_vm", world).catch((error: { code?: string }) => error.code)).toBe(code);
  });
});
