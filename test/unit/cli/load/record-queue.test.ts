/** How the records of one partition are gathered into batches. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BATCH_BYTES_MAX, RecordQueue } from "../../../../src/cli/load/record-queue.js";
import { RECORD_STRING, RECORDS_MAX } from "../../../../src/codec/record-batch.js";
import { latin1ToBytes } from "../../../../src/core/bytes.js";

function add(queue: RecordQueue, line: number, valueBytes: number): void {
  const key = latin1ToBytes(`k${line}`);
  const value = latin1ToBytes("v".repeat(valueBytes));
  const spans = { keyStart: 0, keyEnd: key.length, valueStart: 0, valueEnd: value.length };
  queue.add({ line, type: RECORD_STRING, key, value, ...spans });
}

test("a batch holds as many records as a node takes at once, and no more", () => {
  const queue = new RecordQueue();
  for (let line = 1; line < RECORDS_MAX; line += 1) add(queue, line, 1);
  assert.equal(queue.isFull, false);
  add(queue, RECORDS_MAX, 1);
  assert.equal(queue.isFull, true);
  add(queue, RECORDS_MAX + 1, 1);
  const counts = queue.takeAll().map(({ lines }) => lines.length);
  assert.deepEqual(counts, [RECORDS_MAX, 1]);
});

test("a batch of larger records ends before it has too many bytes, unless it is one record", () => {
  const queue = new RecordQueue();
  for (const [line, valueBytes] of [2 * BATCH_BYTES_MAX, 60_000, 60_000, 60_000, 1].entries()) {
    add(queue, line, valueBytes);
  }
  assert.deepEqual(
    queue.takeAll().map(({ lines }) => lines),
    [[0], [1, 2], [3, 4]],
  );
});
