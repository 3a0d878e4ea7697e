/**
 * A process that writes to a disk engine until it is killed, for tests of what is left then. Arguments:
 * DIRECTORY and what to do. Says on stdout what has begun and what is durable, a line each.
 *
 * `checkpoints`: in each round every key of every group gets the round's number as its value, the data table of
 * one group is cleared first, and a checkpoint saves it all with the round as the applied index.
 *
 * `installs`: each round installs a snapshot of `INSTALL_KEYS` keys that have the round as their value.
 */
import { writeSync } from "node:fs";
import { groupId } from "../../src/core/ids.js";
import { systemClock } from "../../src/platform/clock.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import { silentLogger } from "../../src/platform/logger.js";
import type { GroupStore } from "../../src/ports/storage-engine.js";
import { PieceWriter } from "../../src/storage/pieces.js";
import { appliedState, storedValue } from "./engine-model.js";

export const GROUPS = [groupId(0), groupId(1), groupId(2)];
/** Enough that a group has a transaction of its own, and that it takes a while. */
export const KEYS = 9000;
export const INSTALL_KEYS = 20_000;
const INSTALL_KEYS_A_PIECE = 4000;

export const keyOf = (i: number): string => `key ${String((i * 7919) % 100_003).padStart(6, "0")}`;

const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};

async function runCheckpoints(stores: readonly GroupStore[], checkpoint: () => Promise<void>): Promise<void> {
  let round = Math.max(...stores.map((store) => store.durableIndex()));
  for (const store of stores) store.onCheckpoint(() => appliedState(round));
  for (;;) {
    round += 1;
    const value = storedValue(`${round}`);
    stores[round % GROUPS.length].clear("data");
    for (const store of stores) {
      for (let i = 0; i < KEYS; i += 1) store.put("data", keyOf(i), value);
      store.put("meta", "round", value);
    }
    say(`begin ${round}`);
    await checkpoint();
    say(`durable ${round}`);
  }
}

async function runInstalls(store: GroupStore): Promise<void> {
  for (let round = store.durableIndex() + 1; ; round += 1) {
    const value = storedValue(`${round}`);
    const install = store.beginInstall();
    say(`begin ${round}`);
    for (let first = 0; first < INSTALL_KEYS; first += INSTALL_KEYS_A_PIECE) {
      const piece = new PieceWriter(1024 * 1024);
      for (let i = first; i < first + INSTALL_KEYS_A_PIECE; i += 1) piece.add(0, keyOf(i), value);
      await install.write(piece.finish());
    }
    await install.commit(appliedState(round));
    say(`durable ${round}`);
  }
}

async function main(directory: string, what: string): Promise<void> {
  const engine = await openLmdbEngine({ path: directory, clock: systemClock(), logger: silentLogger });
  const stores: GroupStore[] = [];
  for (const group of GROUPS) stores.push(await engine.openGroup(group));
  if (what === "installs") await runInstalls(stores[0]);
  else await runCheckpoints(stores, () => engine.checkpoint());
}

if (process.argv[2] !== undefined && process.argv[1]?.endsWith("engine-crash-child.js")) {
  await main(process.argv[2], process.argv[3] ?? "checkpoints");
}
