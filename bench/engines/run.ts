/**
 * One engine under the load of a node, in a process of its own so that its memory can be told from everything
 * else. Sends one line a figure to its parent.
 *
 * Arguments: ENGINE (memory, disk, map) KEYS GROUPS
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as turn } from "node:timers/promises";
import { allocOwnBytes, asBytes, keyFromText } from "../../src/core/bytes.js";
import { groupId, logIndex, term } from "../../src/core/ids.js";
import { systemClock } from "../../src/platform/clock.js";
import { openDisk } from "../../src/platform/disk.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import { silentLogger } from "../../src/platform/logger.js";
import type { GroupStore, StorageEngine, StoredValue } from "../../src/ports/storage-engine.js";
import { openMemoryEngine } from "../../src/storage/memory/engine.js";

export type EngineName = "memory" | "disk" | "map";

const KEY_BYTES = 16;
const VALUE_BYTES = 64;
/** Values that arrive together share a buffer, as the entries of a log batch do. */
const BATCH = 128;
/** When a node would checkpoint. */
const CHECKPOINT_BYTES = 32 * 1024 * 1024;
const READS = 1_000_000;
/** Reads timed at once. */
const SLICE = 1000;

const [engineName = "memory", keysText = "1000000", groupsText = "32"] = process.argv.slice(2);
const keyCount = Number(keysText);
const groupCount = Number(groupsText);
const directory = mkdtempSync(join(tmpdir(), "minikey-bench-"));

function report(figure: string, value: number, unit: string): void {
  process.send?.({ figure, value, unit });
}

/** A permutation of 0 … count - 1 without a table: keys come in no order, and each comes once. */
const scatter = (i: number): number => (i * 2_654_435_761) % keyCount;
/** As keys come out of a buffer: flat strings. */
const keyOf = (i: number): string => keyFromText(`key:${String(i).padStart(KEY_BYTES - 4, "0")}`);

function residentBytes(): number {
  global.gc?.();
  global.gc?.();
  const [, pages] = readFileSync("/proc/self/statm", "latin1").split(" ");
  return Number(pages) * 4096;
}

/** Memory of the process alone, without the pages of mapped files, which the system can take back. */
function anonymousBytes(): number {
  const status = readFileSync("/proc/self/status", "latin1");
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

async function openEngine(): Promise<StorageEngine> {
  const clock = systemClock();
  if (engineName === "disk") {
    return openLmdbEngine({ path: join(directory, "disk"), clock, logger: silentLogger });
  }
  const disk = await openDisk(directory);
  return openMemoryEngine({ disk, directory: "memory", clock, logger: silentLogger });
}

async function openGroups(engine: StorageEngine): Promise<GroupStore[]> {
  const stores: GroupStore[] = [];
  for (let i = 0; i < groupCount; i += 1) {
    const store = await engine.openGroup(groupId(i));
    let index = store.restored?.index ?? 0;
    const state = allocOwnBytes(100);
    store.onCheckpoint(() => ({ index: logIndex((index += 1)), term: term(1), state }));
    stores.push(store);
  }
  return stores;
}

/** The middle of many short measurements: another process that takes the CPU disturbs few of them. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** Puts every key once, in batches, one a turn, with checkpoints as they become due. Returns ns a put. */
async function putAll(engine: StorageEngine, stores: readonly GroupStore[], fill: number): Promise<number> {
  const batchNs: number[] = [];
  let saving: Promise<void> | undefined;
  for (let first = 0; first < keyCount; first += BATCH) {
    const count = Math.min(BATCH, keyCount - first);
    const bytes = asBytes(new Uint8Array(count * VALUE_BYTES).fill(fill));
    const numbers = Array.from({ length: count }, (_, i) => scatter(first + i));
    const keys = numbers.map(keyOf);
    const startMs = performance.now();
    for (let i = 0; i < count; i += 1) {
      const value = { bytes, start: i * VALUE_BYTES, end: (i + 1) * VALUE_BYTES };
      stores[numbers[i] % groupCount].put("data", keys[i], value);
    }
    batchNs.push(((performance.now() - startMs) * 1e6) / count);
    if (saving === undefined && engine.kind === "disk" && engine.uncheckpointedBytes() > CHECKPOINT_BYTES) {
      saving = engine.checkpoint().finally(() => {
        saving = undefined;
      });
    }
    await turn();
  }
  await saving;
  return median(batchNs);
}

/** ns a call of `read`, which gets keys in no order. */
function timeReads(stores: readonly GroupStore[], read: (store: GroupStore, key: string) => unknown): number {
  const count = Math.min(READS, keyCount);
  const numbers = Array.from({ length: count }, (_, i) => (i * 7919) % keyCount);
  const keys = numbers.map(keyOf);
  const sliceNs: number[] = [];
  let found = 0;
  for (let first = 0; first < count; first += SLICE) {
    const end = Math.min(first + SLICE, count);
    const startMs = performance.now();
    for (let i = first; i < end; i += 1) if (read(stores[numbers[i] % groupCount], keys[i])) found += 1;
    sliceNs.push(((performance.now() - startMs) * 1e6) / (end - first));
  }
  if (found !== count) throw new Error(`${found} of ${count} keys were found`);
  return median(sliceNs);
}

function readByte(value: StoredValue | undefined): boolean {
  return value !== undefined && value.bytes[value.start] > 0;
}

function timeScan(stores: readonly GroupStore[]): number {
  const groupNs: number[] = [];
  let found = 0;
  for (const store of stores) {
    const foundBefore = found;
    const startMs = performance.now();
    for (const [key] of store.range("data")) if (key.length > 0) found += 1;
    groupNs.push(((performance.now() - startMs) * 1e6) / (found - foundBefore));
  }
  if (found !== keyCount) throw new Error(`${found} of ${keyCount} keys were scanned`);
  return median(groupNs);
}

function timePages(stores: readonly GroupStore[]): number {
  const pageUs: number[] = [];
  for (let i = 0; i < 10_000; i += 1) {
    const startMs = performance.now();
    let taken = 0;
    for (const _ of stores[i % groupCount].range("data", { start: keyOf((i * 7919) % keyCount) })) {
      taken += 1;
      if (taken === 10) break;
    }
    pageUs.push((performance.now() - startMs) * 1e3);
  }
  return median(pageUs);
}

/** Runs `work` and tells how long it took and the longest turn of the event loop meanwhile. */
async function timeTurns(name: string, work: () => Promise<void>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startMs = performance.now();
  await work();
  report(name, performance.now() - startMs, "ms");
  delay.disable();
  // The monitor's timer itself is 1 ms apart.
  report(`${name}: longest turn`, Math.max(0, delay.max / 1e6 - 1), "ms");
}

async function runMap(): Promise<void> {
  const before = residentBytes();
  const map = new Map<string, Buffer>();
  const startMs = performance.now();
  for (let i = 0; i < keyCount; i += 1) map.set(keyOf(scatter(i)), Buffer.alloc(VALUE_BYTES, 1));
  report("put", ((performance.now() - startMs) * 1e6) / keyCount, "ns");
  report("memory an entry", (residentBytes() - before) / map.size, "bytes");
}

async function runEngine(): Promise<void> {
  const before = residentBytes();
  let engine = await openEngine();
  let stores = await openGroups(engine);
  report("put, new keys", await putAll(engine, stores, 1), "ns");
  await timeTurns("checkpoint", () => engine.checkpoint());
  await turn();
  report("memory an entry", (residentBytes() - before) / keyCount, "bytes");
  report("resident in all", residentBytes() / 1e6, "MB");
  report("resident without mapped files", anonymousBytes() / 1e6, "MB");
  report(
    "get",
    timeReads(stores, (store, key) => readByte(store.get("data", key))),
    "ns",
  );
  report(
    "has",
    timeReads(stores, (store, key) => store.has("data", key)),
    "ns",
  );
  report(
    "get, no such key",
    timeReads(stores, (store, key) => store.get("data", `${key}x`) === undefined),
    "ns",
  );
  report("scan, an entry", timeScan(stores), "ns");
  report("page of 10 keys", timePages(stores), "µs");
  report("put, overwriting", await putAll(engine, stores, 2), "ns");
  await timeTurns("checkpoint again", () => engine.checkpoint());
  report("resident in all, at the end", residentBytes() / 1e6, "MB");
  await engine.close();
  const startMs = performance.now();
  engine = await openEngine();
  stores = await openGroups(engine);
  report("open all groups again", performance.now() - startMs, "ms");
  const count = stores.reduce((sum, store) => sum + store.count("data"), 0);
  if (count !== keyCount) throw new Error(`${count} of ${keyCount} keys are there after a restart`);
  if (engineName === "disk") report("file", statSync(join(directory, "disk", "data.mdb")).size / 1e6, "MB");
  await engine.close();
}

try {
  await (engineName === "map" ? runMap() : runEngine());
} finally {
  rmSync(directory, { recursive: true, force: true });
}
