import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { readTpmState } from "../../../src/codec/tpm-archive.ts";
import { OnevirtError } from "../../../src/core/errors.ts";
import { entry, tar } from "../actions/document.ts";

const NAME = "tpm/tpm2-00.permall";
const STATE = Buffer.from("state \0 of a TPM");
const packed = (archive: Uint8Array) => gzipSync(archive).toString("base64");
const of = (...parts: Uint8Array[][]) => packed(Buffer.concat([...parts.flat(), Buffer.alloc(1024)]));

function outcome(base64: string): unknown {
  try {
    return Buffer.from(readTpmState(base64)).toString();
  } catch (error) {
    return error instanceof OnevirtError ? `${error.code}: ${error.message}` : error;
  }
}

describe("readTpmState()", () => {
  test("readTpmState() reads what tar makes of the directory", () => {
    const { stdout } = Bun.spawnSync(["sh", "-c", `cd "$(mktemp -d)" && mkdir tpm && printf 'made by tar' > ${NAME} && tar czf - ./tpm && rm -r "$PWD"`]);
    expect(outcome(stdout.toString("base64"))).toBe("made by tar");
  });

  test("17.1 row 5: readTpmState() takes one regular file by its exact name, wherever it stands", () => {
    expect(outcome(packed(tar({ "deployment.0": "evil", "tpm/tpm2-00.permall.x": "evil", "x/tpm/tpm2-00.permall": "evil", "/tpm/tpm2-00.permall": "evil", "../tpm/tpm2-00.permall": "evil", [NAME]: STATE })))).toBe(STATE.toString());
  });

  const MISSING = `BAD_INPUT: Cannot read TPM_STATE: the archive holds no file ${NAME}`;
  const DAMAGED = "BAD_INPUT: Cannot read TPM_STATE: the archive is damaged";
  const hostile: [string, string, unknown][] = [
    ["only other files", packed(tar({ "deployment.0": "evil" })), MISSING],
    ["a symbolic link of the name", of(entry(NAME, Buffer.alloc(0), { type: "2" })), MISSING],
    ["a hard link of the name", of(entry(NAME, Buffer.alloc(0), { type: "1" })), MISSING],
    ["a directory of the name", of(entry(NAME, Buffer.alloc(0), { type: "5" })), MISSING],
    ["a size that leads backwards", of(entry("x", Buffer.alloc(512), { size: "-0000001000" })), DAMAGED],
    ["a size that leads nowhere", of(entry("x", Buffer.alloc(0), { size: "-0000000001" }), entry(NAME, STATE)), DAMAGED],
    ["a size in text", of(entry("x", Buffer.alloc(0), { size: "many" })), DAMAGED],
    ["a size beyond the end", of(entry("x", Buffer.alloc(0), { size: "77777777777" }), entry(NAME, STATE)), MISSING],
    ["a state that is cut off", of(entry(NAME, STATE, { size: "00000007000" })), `BAD_INPUT: Cannot read TPM_STATE: ${NAME} is cut off`],
    ["an empty state", of(entry(NAME, Buffer.alloc(0))), `BAD_INPUT: Cannot read TPM_STATE: ${NAME} is empty`],
    ["nothing", "", expect.stringMatching(/^BAD_INPUT: Cannot read TPM_STATE: /)],
    ["no base64", "!!!", expect.stringMatching(/^BAD_INPUT: Cannot read TPM_STATE: /)],
    ["no gzip", Buffer.from("plain").toString("base64"), expect.stringMatching(/^BAD_INPUT: Cannot read TPM_STATE: /)],
    ["a cut gzip", packed(tar({ [NAME]: STATE })).slice(0, 60), expect.stringMatching(/^BAD_INPUT: Cannot read TPM_STATE: /)],
    ["a bomb", gzipSync(Buffer.alloc(200 * 1024 * 1024)).toString("base64"), expect.stringMatching(/^BAD_INPUT: Cannot read TPM_STATE: /)],
  ];
  test.each(hostile)("17.1 row 5: readTpmState() refuses an archive with %s", (_what, base64, expected) => {
    expect(outcome(base64)).toEqual(expected);
  });
});
