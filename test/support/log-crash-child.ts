/**
 * A process that keeps groups in the log and in the disk engine, as a node does, until it is killed: it appends
 * an entry, applies it when it is durable, and now and then makes a checkpoint and shortens the log behind it.
 * Argument: DIRECTORY, and after how many checkpoints to end if it is not for ever. Says on stdout what is
 * durable and where checkpoints are, a line each.
 *
 * What entry `i` does follows from `i` alone, so that whoever looks at what is left knows what it must be.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import type { Entry, SnapshotMeta } from "../../src/codec/raft-types.js";
import { utf8ToBytes } from "../../src/core/bytes.js";
import { groupId, logIndex, replicaId, term } from "../../src/core/ids.js";
import { systemClock } from "../../src/platform/clock.js";
import { openDisk } from "../../src/platform/disk.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import { silentLogger } from "../../src/platform/logger.js";
import { systemRandom } from "../../src/platform/random.js";
import type { GroupStore } from "../../src/ports/storage-engine.js";
import { openLog } from "../../src/storage/log/open-log.js";
import { appliedState, storedValue } from "./engine-model.js";

export const GROUPS = [groupId(0), groupId(1), groupId(2)];
const KEYS = 400;
/** Small, so that the log is cut all the time. */
const SEGMENT_BYTES = 64 * 1024;
const ENTRIES_A_CHECKPOINT = 150;
const FILLING = "x".repeat(200);

const TERM = term(1);
const VOTERS = { voters: [replicaId(1)], votersOutgoing: [], learners: [] };

/** The key that entry `i` is about, and its new value; undefined deletes it. */
export function effectOf(i: number): { readonly key: string; readonly value: string | undefined } {
  const key = `key ${(i * 7919) % KEYS}`;
  return { key, value: i % 11 === 0 ? undefined : `${i} ${FILLING}` };
}

export function applyEntry(store: GroupStore, i: number): void {
  const { key, value } = effectOf(i);
  if (value === undefined) store.delete("data", key);
  else store.put("data", key, storedValue(value));
}

export async function openStorage(directory: string) {
  const disk = await openDisk(directory);
  const onFailure = (error: unknown): never => {
    throw error;
  };
  const options = { random: systemRandom(), onFailure, segmentBytes: SEGMENT_BYTES };
  const { log, report } = await openLog(disk, "wal", options);
  const path = join(directory, "disk");
  const engine = await openLmdbEngine({ path, clock: systemClock(), logger: silentLogger });
  const stores: GroupStore[] = [];
  for (const group of GROUPS) stores.push(await engine.openGroup(group));
  return { log, report, engine, stores };
}

const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};

async function main(directory: string, checkpointsMax: number): Promise<void> {
  let checkpoints = 0;
  const { log, report, engine, stores } = await openStorage(directory);
  const metaAt = (index: number): SnapshotMeta => ({
    index: logIndex(index),
    term: TERM,
    configuration: VOTERS,
  });
  const applied = stores.map((store) => store.restored?.index ?? logIndex(0));
  for (const [g, store] of stores.entries()) {
    store.onCheckpoint(() => appliedState(applied[g]));
    for (const { index } of report.groups.get(GROUPS[g])?.entries ?? []) {
      if (index !== applied[g] + 1) continue;
      applyEntry(store, index);
      applied[g] = index;
    }
  }
  let isSaving = false;
  const checkpoint = async (): Promise<void> => {
    isSaving = true;
    say("begin");
    await engine.checkpoint();
    for (const [g, store] of stores.entries()) {
      if (store.durableIndex() > 0) log.compact(GROUPS[g], metaAt(store.durableIndex()));
    }
    say(`checkpoint ${stores.map((store) => store.durableIndex()).join(" ")}`);
    isSaving = false;
    checkpoints += 1;
    if (checkpoints === checkpointsMax) process.exit();
  };
  for (let round = 1; ; round += 1) {
    for (const [g, store] of stores.entries()) {
      const index = logIndex(applied[g] + 1);
      const entry: Entry = { index, term: TERM, kind: "command", data: utf8ToBytes(`${index} ${FILLING}`) };
      await new Promise<void>((resolve) => {
        log.append(
          { group: GROUPS[g], hardState: undefined, entries: [entry], snapshot: undefined },
          resolve,
        );
        log.flush();
      });
      applied[g] = index;
      applyEntry(store, index);
      say(`durable ${g} ${index}`);
    }
    if (round % ENTRIES_A_CHECKPOINT === 0 && !isSaving)
      await Promise.race([checkpoint(), Promise.resolve()]);
  }
}

if (process.argv[2] !== undefined && process.argv[1]?.endsWith("log-crash-child.js")) {
  await main(process.argv[2], Number(process.argv[3] ?? Infinity));
}
