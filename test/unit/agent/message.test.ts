import { describe, expect, test } from "bun:test";
import { readMonitorConfiguration } from "../../../src/codec/monitor-configuration.ts";
import { monitorMessage, readPublicKey } from "../../../src/codec/monitor-message.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { decode, keyPair } from "./wire.ts";

describe("monitorMessage()", () => {
  const message = { type: "STATE_VM", success: true, hostId: 3, timestamp: 1700000000, text: 'VM = [ ID="1" ]' } as const;

  test("monitorMessage() is decoded to what went in", () => {
    expect(decode(monitorMessage(message, undefined))).toEqual({ type: "STATE_VM", status: "SUCCESS", hostId: 3, timestamp: 1700000000, text: message.text });
  });

  test("monitorMessage() encrypts in blocks, before it compresses", () => {
    const { publicPem, privatePem } = keyPair();
    const text = "ü☃ ".repeat(700);
    expect(decode(monitorMessage({ ...message, success: false, text }, readPublicKey(publicPem)), privatePem)).toMatchObject({ status: "FAILURE", text });
  });

  test("readPublicKey() refuses what is no RSA key", () => {
    expect(() => readPublicKey("-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n")).toThrow();
  });
});

const document = (network: string, more = "<HOST_ID>7</HOST_ID>") => `<MONITOR_CONFIGURATION><NETWORK>${network}</NETWORK>${more}</MONITOR_CONFIGURATION>`;
const NETWORK = "<MONITOR_ADDRESS><![CDATA[10.0.0.1]]></MONITOR_ADDRESS><PORT><![CDATA[4124]]></PORT><PUBKEY><![CDATA[]]></PUBKEY>";

async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.catch((error: unknown) => (error instanceof OnevirtError ? `${error.code}: ${error.message}` : error));
}

describe("readMonitorConfiguration()", () => {
  test("readMonitorConfiguration() gives periods of 7.4 to whoever names none, and reads base64 too", async () => {
    const text = document(NETWORK, "<PROBES_PERIOD><STATE_VM>9</STATE_VM><MONITOR_VM></MONITOR_VM></PROBES_PERIOD><HOST_ID>7</HOST_ID>");
    const expected = {
      hostId: 7, address: "10.0.0.1", port: 4124, publicKey: undefined, datastoreLocation: "/var/lib/one/datastores",
      periods: { BEACON_HOST: 30, SYSTEM_HOST: 600, MONITOR_HOST: 120, STATE_VM: 9, SYNC_STATE_VM: 180, EXEC_VM: 5, MONITOR_VM: 30 },
    };
    expect([await readMonitorConfiguration(text, undefined), await readMonitorConfiguration(Buffer.from(text).toString("base64"), undefined)] as unknown[]).toEqual([expected, expected]);
  });

  test("readMonitorConfiguration() takes the address of auto from the ssh connection", async () => {
    const auto = document(NETWORK.replace("10.0.0.1", "auto"));
    expect([(await readMonitorConfiguration(auto, "192.0.2.7 51000 22")).address, await outcomeOf(readMonitorConfiguration(auto, undefined))]).toEqual(["192.0.2.7", 'BAD_INPUT: NETWORK/MONITOR_ADDRESS is "auto", but SSH_CLIENT unknown']);
  });

  test("readMonitorConfiguration() mends a key whose line ends became blanks", async () => {
    const { publicPem } = keyPair();
    const { publicKey = "" } = await readMonitorConfiguration(document(NETWORK.replace("<PUBKEY><![CDATA[]]>", `<PUBKEY><![CDATA[${publicPem.replaceAll("\n", " ")}]]>`)), undefined);
    expect(readPublicKey(publicKey).asymmetricKeyType).toBe("rsa");
  });

  const bad: [string, string, string][] = [
    ["no address", document("<PORT>1</PORT>"), "BAD_INPUT: NETWORK/MONITOR_ADDRESS is missing in the monitoring configuration"],
    ["no port", document("<MONITOR_ADDRESS>x</MONITOR_ADDRESS>"), "BAD_INPUT: NETWORK/PORT is missing in the monitoring configuration"],
    ["no host", document(NETWORK, ""), "BAD_INPUT: HOST_ID is missing in the monitoring configuration"],
    ["a port that is none", document(NETWORK.replace("4124", "x")), 'BAD_INPUT: NETWORK/PORT of the monitoring configuration is "x", no whole number'],
    ["a key that is none", document(NETWORK.replace("<PUBKEY><![CDATA[]]>", "<PUBKEY>abc")), "BAD_INPUT: Public key not in PEM format"],
  ];
  test.each(bad)("readMonitorConfiguration() refuses %s", async (_what, text, expected) => {
    const { periods: _periods, ...rest } = { periods: 0, outcome: await outcomeOf(readMonitorConfiguration(text, undefined)) };
    expect(rest.outcome).toBe(expected);
  });
});
