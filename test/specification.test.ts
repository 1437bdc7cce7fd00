import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const top = join(import.meta.dir, "..");
const rows = readFileSync(join(top, "SPECIFICATION.md"), "utf8").split("\n").filter((line) => /^\| P\d+ /.test(line)).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));

test("SPECIFICATION.md has rows with number, promise, holder, figure, date and commit", () => {
  expect(rows.length).toBeGreaterThan(10);
  for (const row of rows) expect({ row: row[0], cells: row.length }).toEqual({ row: row[0] ?? "", cells: 5 });
});

test("SPECIFICATION.md numbers each promise once", () => {
  expect(new Set(rows.map(([number]) => number)).size).toBe(rows.length);
});

test.each(rows.map((row) => [row[0] ?? "", row[2] ?? ""]))("SPECIFICATION.md %s names a test or bench that exists", (_number, holder) => {
  const files = [...holder.matchAll(/`([^`: ]+\.ts)(?:: ([^`]+))?`/g)];
  const scripts = [...holder.matchAll(/`npm run (bench|soak) ?(\w*)`/g)];
  expect(files.length + scripts.length).toBeGreaterThan(0);
  for (const [, file = "", title] of files) {
    expect({ file, exists: existsSync(join(top, file)) }).toEqual({ file, exists: true });
    if (title) expect({ title, found: readFileSync(join(top, file), "utf8").includes(title) }).toEqual({ title, found: true });
  }
});
