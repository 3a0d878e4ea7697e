/**
 * What it costs to make two replicas of an eventual partition the same by comparing trees: when all is equal but a few
 * keys, and when one of them is empty. The bytes are all that either sends; the log is left out, so that the times are
 * those of the comparing, with both replicas in one process; the longest turn is of one replica.
 *
 * Run: npm run bench -- repair [KEYS] [DIFFERENT] [VALUE_BYTES] [memory|disk]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { assert } from "../../src/core/assert.js";
import { allocOwnBytes, asBytes, type Bytes, concatBytes, keyFromText } from "../../src/core/bytes.js";
import { stampAt } from "../../src/core/hybrid-clock.js";
import { groupId, logIndex, nodeId, replicaOf, term } from "../../src/core/ids.js";
import { BatchWriter } from "../../src/eventual/batch.js";
import { EventualLinks, LINK_LIMITS } from "../../src/node/eventual/links.js";
import type { LinkedReplica } from "../../src/node/eventual/partition-parts.js";
import { EventualState } from "../../src/node/eventual/state.js";
import { decodeFrame } from "../../src/node/peer-frames.js";
import { systemClock } from "../../src/platform/clock.js";
import { openDisk } from "../../src/platform/disk.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import { silentLogger } from "../../src/platform/logger.js";
import { systemRandom } from "../../src/platform/random.js";
import type { StorageEngine } from "../../src/ports/storage-engine.js";
import { openMemoryEngine } from "../../src/storage/memory/engine.js";

const [keysText = "1000000", differentText = "10", valueText = "64", engineName = "memory"] =
  process.argv.slice(2);
const keyCount = Number(keysText);
const different = Number(differentText);
const valueBytes = Number(valueText);
const KEY_BYTES = 16;
const GROUP = groupId(7);
/** Wrote everything, and is away. */
const ORIGIN = replicaOf(9, 1);
const NODES = [1, 2, 3];
const SWEEP_MS = 50;

const value = asBytes(allocOwnBytes(valueBytes).fill(0x76));
const keyOf = (i: number): string => keyFromText(`key:${String(i).padStart(KEY_BYTES - 4, "0")}`);

/** How long single turns took. */
const turns = { longestMs: 0, count: 0, totalMs: 0 };

/** Runs something in a turn of its own. */
function inTurn(run: () => void): void {
  setImmediate(() => {
    const beganMs = performance.now();
    run();
    const tookMs = performance.now() - beganMs;
    turns.longestMs = Math.max(turns.longestMs, tookMs);
    turns.totalMs += tookMs;
    turns.count += 1;
  });
}

class Replica implements LinkedReplica {
  readonly group = GROUP;
  readonly self;
  readonly state: EventualState;
  links!: EventualLinks;
  #index = 0;
  #taken: { readonly batch: Bytes; readonly onMerged: () => void }[] = [];

  constructor(number: number, state: EventualState) {
    this.self = replicaOf(number, 1);
    this.state = state;
  }

  get isComplete(): boolean {
    return this.state.isComplete;
  }

  get given(): number {
    return this.state.vector.get(this.self);
  }

  apply(kind: "command" | "noop", data: Bytes): void {
    this.#index += 1;
    this.state.apply({ index: logIndex(this.#index), term: term(1), kind, data });
  }

  take(batch: Bytes, onMerged: () => void): boolean {
    if (this.#taken.length === 0) inTurn(() => this.#merge());
    this.#taken.push({ batch, onMerged });
    return true;
  }

  becomeComplete(): void {
    this.apply("noop", allocOwnBytes(0));
  }

  #merge(): void {
    for (const { batch, onMerged } of this.#taken.splice(0)) {
      this.apply("command", batch);
      onMerged();
    }
  }
}

/** The writes `(after, upTo]` of the origin, each of a key of its own from `firstKey` on. */
function writes(after: number, upTo: number, firstKey: number): Bytes {
  const writer = new BatchWriter();
  const stamp = stampAt(Date.now());
  for (let number = after + 1; number <= upTo; number += 1) {
    const key = keyOf(firstKey + number - after - 1);
    writer.plain(key, "string", stamp, ORIGIN, number, 0, value, 0, valueBytes);
  }
  writer.advance(ORIGIN, after, upTo);
  return writer.take();
}

const clock = systemClock();
const directory = mkdtempSync(join(tmpdir(), "minikey-bench-"));

async function openEngine(number: number): Promise<StorageEngine> {
  const name = `n${number}`;
  if (engineName === "disk") {
    return openLmdbEngine({ path: join(directory, name), clock, logger: silentLogger });
  }
  const disk = await openDisk(directory);
  return await openMemoryEngine({ disk, directory: name, clock, logger: silentLogger });
}

function link(replica: Replica, all: readonly Replica[]): EventualLinks {
  const links: EventualLinks = new EventualLinks({
    clock,
    random: systemRandom(),
    logger: silentLogger,
    limits: LINK_LIMITS,
    transport: {
      start: async () => await Promise.resolve(),
      stop: async () => await Promise.resolve(),
      setPeers: () => undefined,
      updateGreeting: () => undefined,
      flush: () => undefined,
      isUp: () => true,
      send: (peer, parts) => {
        const frame = decodeFrame(asBytes(concatBytes(parts)));
        assert(frame.type === "sync", "only replicas speak here");
        const to = all.find(({ self }) => peer === nodeId(`n${self}`));
        inTurn(() => to?.links.onFrame(nodeId(`n${replica.self}`), frame.group, frame.body));
        return true;
      },
    },
    replica: () => replica,
    replicas: () => [replica],
    replicasOf: () => all.map(({ self }) => self),
    retiredOf: () => [],
    epoch: () => 1,
    nodeOf: (id) => nodeId(`n${id}`),
    scheduleTurn: () => inTurn(() => links.flush()),
  });
  return links;
}

/** Lets replicas speak until they are equal; reports what the last comparison moved. */
async function mend(what: string, replicas: readonly Replica[], asker: Replica): Promise<void> {
  for (const replica of replicas) replica.links = link(replica, replicas);
  Object.assign(turns, { longestMs: 0, count: 0, totalMs: 0 });
  const timers = replicas.map(({ links }) => setInterval(() => links.sweep(), SWEEP_MS));
  const isEqual = () =>
    replicas.every(({ state }) => state.fingerprints.sameRoot(replicas[0].state.fingerprints));
  const repairOf = () => asker.links.of(GROUP)?.trees.lastRepair;
  while (!isEqual() || repairOf() === undefined) await sleep(20);
  for (const timer of timers) clearInterval(timer);
  const repair = repairOf();
  assert(repair !== undefined, "compared");
  const dataBytes = keyCount * (KEY_BYTES + valueBytes);
  process.stdout.write(
    `${what}\n` +
      `  sent, both ways          ${String(repair.bytes).padStart(12)} bytes, ` +
      `${((100 * repair.bytes) / dataBytes).toFixed(3)} % of ${dataBytes} bytes of keys and values\n` +
      `  leaves that differed     ${String(repair.leavesCompared).padStart(12)}\n` +
      `  records moved            ${String(repair.recordsTaken + repair.recordsGiven).padStart(12)}\n` +
      `  took                     ${repair.durationMs.toFixed(0).padStart(12)} ms, ` +
      `${(repair.bytes / 1e3 / repair.durationMs).toFixed(1)} MB/s\n` +
      `  longest turn             ${turns.longestMs.toFixed(1).padStart(12)} ms, ` +
      `${(turns.totalMs / turns.count).toFixed(2)} ms on average\n`,
  );
}

const replicas: Replica[] = [];
for (const number of NODES) {
  const engine = await openEngine(number);
  const store = await engine.openGroup(GROUP);
  replicas.push(new Replica(number, new EventualState(store, replicaOf(number, 1), number < 3, 1_000)));
}
const [first, second, third] = replicas;
process.stdout.write(
  `${keyCount} keys of ${KEY_BYTES} bytes, values of ${valueBytes} bytes, one partition, ${engineName}\n`,
);
const beganMs = performance.now();
const BATCH = 1_000;
for (let after = 0; after < keyCount; after += BATCH) {
  const batch = writes(after, Math.min(keyCount, after + BATCH), after);
  first.apply("command", batch);
  second.apply("command", batch);
  await sleep(0);
}
process.stdout.write(`  filled two replicas in ${((performance.now() - beganMs) / 1e3).toFixed(1)} s\n`);
// Scattered over the keys, so that they are in leaves of their own.
for (let i = 0; i < different; i += 1) {
  const at = Math.floor((i * keyCount) / different);
  first.apply("command", writes(keyCount + i, keyCount + i + 1, at));
}
await mend(`${different} keys differ`, [first, second], second);
await mend("one replica is empty", [first, third], third);
rmSync(directory, { recursive: true, force: true });
process.exit(0);
