import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Fixture } from "./fixture.js";

const DISK = `/** A disk. */
export interface DiskFile {
  sync(): Promise<void>;
}
`;

/** Lines of `src/storage/x.ts`, from 1, that the rule reports. */
function reportedLines(t: TestContext, rule: string, body: string): number[] {
  const fixture = new Fixture(t);
  fixture.write("src/core/disk.ts", DISK);
  fixture.write("src/storage/x.ts", body);
  const { output } = fixture.lint();
  const reports = output.split("\n").filter((line) => line.includes(rule));
  return reports.map((line) => Number(/src\/storage\/x\.ts:(\d+)/.exec(line)?.[1])).toSorted((a, b) => a - b);
}

describe("the linter, as this repository sets it", () => {
  it("refuses a disk write that nobody waits for, also behind void", (t) => {
    const body = `import type { DiskFile } from "../core/disk.js";

export function write(file: DiskFile, done: () => void, failed: () => void): void {
  file.sync();
  void file.sync();
  file.sync().then(done);
  file.sync().then(done, failed);
  file.sync().catch(failed);
}
`;
    assert.deepEqual(reportedLines(t, "no-floating-promises", body), [4, 5, 6]);
  });

  it("refuses a promise where nobody looks at the result", (t) => {
    const body = `import type { DiskFile } from "../core/disk.js";

export function writeAll(files: DiskFile[]): void {
  files.forEach(async (file) => {
    await file.sync();
  });
}
`;
    assert.deepEqual(reportedLines(t, "no-misused-promises", body), [4]);
  });

  it("refuses clocks and chance in a pure layer", (t) => {
    const body = `/** x */
export const a = Date.now();
export const b = Math.random();
export const { random } = Math;
`;
    assert.deepEqual(reportedLines(t, "no-restricted-globals", body), [2]);
    assert.deepEqual(reportedLines(t, "no-restricted-properties", body), [3, 4]);
  });
});
