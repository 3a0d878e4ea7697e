/** What a loader sends, and when, to a cluster that answers as the test says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Loader } from "../../../../src/cli/load/loader.js";
import { BATCH_BYTES_MAX } from "../../../../src/cli/load/record-queue.js";
import type { Channel, WireRequest } from "../../../../src/client/wire.js";
import { RECORD_STRING, RecordBatchReader } from "../../../../src/codec/record-batch.js";
import { asBytes, utf8ToBytes } from "../../../../src/core/bytes.js";
import { MinikeyError } from "../../../../src/core/errors.js";
import { SLOT_COUNT, slotOfKey } from "../../../../src/sharding/slots.js";
import { waitFor } from "../../../support/wait.js";

interface Sent {
  readonly partition: number;
  readonly keys: readonly string[];
  /** A number: so many of its keys were created. */
  answer(reply: number | MinikeyError): void;
}

/** Two partitions, even and odd slots; every request waits for its answer. */
class Cluster {
  readonly sent: Sent[] = [];
  readonly refused: [line: number, reason: string][] = [];
  readonly loader: Loader;
  #line = 0;

  constructor(bytesMax = 64 * 1024 * 1024) {
    this.loader = new Loader({
      bytesMax,
      timeoutMs: 10_000,
      partitionOfSlot: Uint16Array.from({ length: SLOT_COUNT }, (_, slot) => slot % 2),
      channels: [this.#channel(0), this.#channel(1)],
      onRefused: (line, reason) => this.refused.push([line, reason]),
    });
  }

  #channel(partition: number): Channel {
    const submit = (request: WireRequest): void => {
      assert.equal(request.kind, "write-once");
      const keys = keysOf(request);
      const answer = (reply: number | MinikeyError): void =>
        request.onReply(typeof reply === "number" && keys.length === 1 ? [reply, 7] : reply);
      this.sent.push({ partition, keys, answer });
    };
    const done = async (): Promise<void> => {};
    return { submit, forKeyspace: () => this.#channel(partition), ready: done, close: done };
  }

  /** Adds records with the keys, each on the next line. */
  add(keys: readonly string[], valueBytes = 10): void {
    for (const text of keys) {
      const key = utf8ToBytes(text);
      const value = asBytes(Buffer.alloc(valueBytes));
      this.#line += 1;
      this.loader.add({
        line: this.#line,
        type: RECORD_STRING,
        key,
        keyStart: 0,
        keyEnd: key.length,
        value,
        valueStart: 0,
        valueEnd: value.length,
      });
    }
  }
}

function keysOf({ args }: WireRequest): string[] {
  if (args[0] === "KV.PUT") return [asBytes(args[1] as Uint8Array).utf8Slice()];
  const records = asBytes(args[2] as Uint8Array);
  const reader = new RecordBatchReader(records, 0, records.length);
  const keys: string[] = [];
  while (reader.next()) keys.push(records.utf8Slice(reader.keyStart, reader.keyEnd));
  return keys;
}

const keysIn = (partition: number, count: number): string[] =>
  Array.from({ length: 20 * count + 100 }, (_, i) => `key${i}`)
    .filter((key) => slotOfKey(key) % 2 === partition)
    .slice(0, count);

const overloaded = new MinikeyError("OVERLOADED", "try again");
const unknown = new MinikeyError("OUTCOME_UNKNOWN", "no answer");

test("a partition has one batch at the cluster, in the order of the file, also after it was refused for now", async () => {
  const cluster = new Cluster();
  const keys = keysIn(0, 40);
  cluster.add(keys, BATCH_BYTES_MAX / 10);
  const [first] = cluster.sent;
  assert.ok(first.keys.length > 1);
  cluster.add(keysIn(1, 10), BATCH_BYTES_MAX / 10);
  assert.deepEqual(
    cluster.sent.map(({ partition }) => partition),
    [0, 1],
    "the other partition does not wait",
  );
  first.answer(overloaded);
  await waitFor("the batch is sent again", () => cluster.sent.length === 3);
  assert.deepEqual(cluster.sent[2].keys, first.keys);
  cluster.sent[2].answer(0);
  const idle = cluster.loader.idle();
  const order = [...first.keys];
  for (let i = 3; order.length < keys.length; i += 1) {
    assert.equal(cluster.sent.length, i + 1);
    order.push(...cluster.sent[i].keys);
    cluster.sent[i].answer(0);
  }
  assert.deepEqual(order, keys);
  for (let i = 1; i < cluster.sent.length; i += 1)
    if (cluster.sent[i].partition === 1) cluster.sent[i].answer(0);
  await idle;
});

test("a batch grows up to its bound, which only a record that is larger alone goes beyond", async () => {
  const cluster = new Cluster();
  const keys = keysIn(0, 100);
  cluster.add(keys.slice(0, 99), BATCH_BYTES_MAX / 20);
  cluster.add(keys.slice(99), 3 * BATCH_BYTES_MAX);
  const idle = cluster.loader.idle();
  const counts: number[] = [];
  for (let i = 0; i < cluster.sent.length; i += 1) {
    counts.push(cluster.sent[i].keys.length);
    cluster.sent[i].answer(cluster.sent[i].keys.length);
  }
  await idle;
  assert.equal(cluster.loader.counts.created, 100);
  assert.equal(counts.at(-1), 1);
  assert.ok(Math.max(...counts) <= 20 && counts.length <= 9, String(counts));
});

test("of a batch that is refused for what is in it, only the bad records fail", async () => {
  const cluster = new Cluster();
  const keys = keysIn(0, 6);
  cluster.add(keys);
  const idle = cluster.loader.idle();
  cluster.sent[0].answer(new MinikeyError("VALUE_TOO_LARGE", "too large"));
  keys.forEach((key, i) => {
    assert.deepEqual(cluster.sent[i + 1].keys, [key], "one by one, in order");
    cluster.sent[i + 1].answer(i === 2 ? new MinikeyError("VALUE_TOO_LARGE", "this one") : i % 2);
  });
  await idle;
  assert.deepEqual(cluster.loader.counts, { created: 3, replaced: 2, refused: 1 });
  assert.deepEqual(cluster.refused, [[3, "this one"]]);
});

test("when the load fails, the line to go on from is the first that may not be stored, sent or not", async () => {
  const cluster = new Cluster();
  const [a, b] = [keysIn(0, 60), keysIn(1, 60)];
  // Lines 1 to 20 are sent in partition 0; 21 to 30 wait in partition 1, behind what is sent of it.
  cluster.add(a.slice(0, 10), BATCH_BYTES_MAX / 8);
  cluster.add(b.slice(0, 10), BATCH_BYTES_MAX / 8);
  const sentOf = (partition: number): Sent[] => cluster.sent.filter((sent) => sent.partition === partition);
  assert.deepEqual([sentOf(0).length, sentOf(1).length], [1, 1]);
  const firstOfB = sentOf(1)[0].keys.length;
  sentOf(0)[0].answer(0);
  const idle = cluster.loader.idle();
  sentOf(0).at(-1)!.answer(unknown);
  sentOf(1)[0].answer(0);
  await idle;
  const stored = sentOf(0)[0].keys.length;
  assert.equal(cluster.loader.failure?.line, stored + 1);
  assert.equal(cluster.loader.counts.replaced, stored + firstOfB);
  assert.equal(sentOf(1).length, 1, "nothing more is sent");
});

test("a load that gives up says why the cluster refused, not that the last attempt had no time left", async () => {
  const cluster = new Cluster();
  cluster.add(keysIn(0, 1));
  const idle = cluster.loader.idle();
  cluster.sent[0].answer(overloaded);
  await waitFor("it is sent again", () => cluster.sent.length === 2);
  cluster.sent[1].answer(unknown);
  await idle;
  assert.equal(cluster.loader.failure?.error, overloaded);
});

test("the caller is to wait while too much is on its way, and a few records do not wait for ever", async () => {
  const cluster = new Cluster(1_000);
  cluster.add(keysIn(0, 5), 300);
  assert.equal(cluster.loader.hasRoom, false);
  const room = cluster.loader.room();
  assert.equal(cluster.sent.length, 1);
  cluster.sent[0].answer(5);
  await room;
  cluster.add(keysIn(1, 1));
  await waitFor("it is sent by itself", () => cluster.sent.length === 2);
});
