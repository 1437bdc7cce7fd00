import { describe, expect, test } from "bun:test";
import { interpret, LIMIT, OWN, VARIABLES, type Row } from "../../../src/core/settings.ts";
import { schemaOf } from "../../../src/config/schema.ts";

const ROWS: [string, Row][] = [...Object.entries(VARIABLES), ...Object.entries(OWN), ["LIMIT_DEPLOY", LIMIT]];

const PIECES = ["", " ", "\t", "\n", "\r", "\0", "\x7f", "\x0b", "yes", "YES", "Yes", "no", "none", "auto", "0", "1", "007", "180", "-1", "+1", "1.5", "1e3", "0x10", "999999999", "1000000000", "18446744073709551615", "/", "/a/b", "a b", "qemu:///system", "é", "😀", "\u00a0", "\u2028"];
const RAWS = [undefined, ...PIECES, ...PIECES.flatMap((first) => PIECES.map((second) => first + second))];

describe("schemaOf()", () => {
  test.each(ROWS)("schemaOf(%s) accepts, refuses and explains exactly what interpret() does", (_name, row) => {
    const schema = schemaOf(row);
    const different = RAWS.flatMap((raw) => {
      const hot = interpret(row, raw);
      const parsed = schema.safeParse(raw);
      const cold = parsed.success ? { value: parsed.data } : { problem: parsed.error.issues[0]!.message };
      return Bun.deepEquals(hot, cold) ? [] : [{ raw, hot, cold }];
    });
    expect(different).toEqual([]);
  });
});
