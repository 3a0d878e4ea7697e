/** A fresh directory for a test, gone when the test ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** Makes a directory that is removed after `t`, with everything in it. */
export function makeTempDir(t: Pick<TestContext, "after">, name = "minikey"): string {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`));
  t.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}
