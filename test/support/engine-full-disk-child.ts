/**
 * A process whose files may not grow past a limit, for tests of a full disk: saves a little, then more than
 * fits, and sends its parent what came of it. Argument: DIRECTORY.
 */
import { writeSync } from "node:fs";
import { groupId } from "../../src/core/ids.js";
import { systemClock } from "../../src/platform/clock.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import { silentLogger } from "../../src/platform/logger.js";
import { appliedState, storedValue, valueText } from "./engine-model.js";

export const MANY = 60_000;

export interface FullDiskReport {
  readonly errors: readonly { code: string; message: string }[];
  readonly durableIndex: number;
  readonly count: number;
  readonly first: string | undefined;
  readonly last: string | undefined;
}

async function main(directory: string): Promise<FullDiskReport> {
  const engine = await openLmdbEngine({ path: directory, clock: systemClock(), logger: silentLogger });
  const store = await engine.openGroup(groupId(1));
  let index = 1;
  store.onCheckpoint(() => appliedState(index));
  store.put("data", "first", storedValue("saved"));
  await engine.checkpoint();
  index = 2;
  store.put("data", "first", storedValue("not saved"));
  for (let i = 0; i < MANY; i += 1) store.put("data", `key ${i}`, storedValue("x".repeat(200)));
  const errors: { code: string; message: string }[] = [];
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await engine.checkpoint().catch((error: unknown) => {
      const { code, message } = error as { code: string; message: string };
      errors.push({ code, message });
    });
  }
  return {
    errors,
    durableIndex: store.durableIndex(),
    count: store.count("data"),
    first: valueText(store.get("data", "first")),
    last: valueText(store.get("data", `key ${MANY - 1}`)),
  };
}

if (process.argv[1]?.endsWith("engine-full-disk-child.js")) {
  writeSync(1, JSON.stringify(await main(process.argv[2] ?? "")));
  // As a node does after such an error: no more tidying up on this disk.
  process.exit(0);
}
