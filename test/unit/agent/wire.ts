import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { inflateSync } from "node:zlib";

/** A message taken apart as onemonitord does, by rules written down apart from ours. */
export interface Received {
  readonly type: string;
  readonly status: string;
  readonly hostId: number;
  readonly timestamp: number;
  readonly text: string;
}

export function decode(message: string, privatePem?: string): Received {
  const parts = /^([A-Z_]+) (SUCCESS|FAILURE) (-?\d+) (\d+) ([A-Za-z0-9+/]+={0,2})$/.exec(message);
  if (!parts) throw new Error(`no message: ${message.slice(0, 80)}`);
  const [, type = "", status = "", hostId, timestamp, payload = ""] = parts;
  const data = inflateSync(Buffer.from(payload, "base64"));
  return { type, status, hostId: Number(hostId), timestamp: Number(timestamp), text: (privatePem ? decrypt(data, privatePem) : data).toString("utf8") };
}

function decrypt(data: Buffer, pem: string): Buffer {
  const { n = "", d = "" } = createPrivateKey(pem).export({ format: "jwk" });
  const [modulus, exponent] = [n, d].map((text) => BigInt(`0x${Buffer.from(text, "base64url").toString("hex")}`)) as [bigint, bigint];
  const size = Buffer.from(n, "base64url").length;
  return Buffer.concat(Array.from({ length: data.length / size }, (_, index) => {
    const block = power(BigInt(`0x${data.subarray(index * size, (index + 1) * size).toString("hex")}`), exponent, modulus);
    const padded = Buffer.from(block.toString(16).padStart(size * 2, "0"), "hex"); // 00 02 random 00 data (RFC 8017, 7.2.2)
    if (padded[0] !== 0 || padded[1] !== 2) throw new Error("not PKCS#1 v1.5");
    return padded.subarray(padded.indexOf(0, 2) + 1);
  }));
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let bits = exponent, square = base % modulus; bits > 0n; bits >>= 1n, square = (square * square) % modulus) if (bits & 1n) result = (result * square) % modulus;
  return result;
}

/** A key pair as onemonitord has it. */
export function keyPair(): { readonly publicPem: string; readonly privatePem: string } {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048, publicKeyEncoding: { type: "pkcs1", format: "pem" }, privateKeyEncoding: { type: "pkcs1", format: "pem" } });
  return { publicPem: publicKey, privatePem: privateKey };
}
