/** A fresh directory for a test, gone when the test ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/**
 * What is removed once more at the end of the process: the test's other cleaning comes after the directory's, and
 * a storage engine that is still opening then makes its files anew.
 */
const made = new Set<string>();

function remove(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
}

/** Makes a directory that is removed after `t`, with everything in it. */
export function makeTempDir(t: Pick<TestContext, "after">, name = "minikey"): string {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`));
  if (made.size === 0) process.once("exit", () => made.forEach(remove));
  made.add(directory);
  t.after(() => remove(directory));
  return directory;
}
