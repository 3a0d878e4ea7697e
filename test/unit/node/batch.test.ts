/** The header of a batch: what the origin and the leader write into it, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { asBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import {
  BATCH_HEADER_BYTES,
  makeBatch,
  readBatchHeader,
  stampBatch,
  tagBatch,
} from "../../../src/node/batch.js";

const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const level = fc.constantFrom("majority" as const, "all" as const);

test("a header says what was written into it, and the commands stay as they are", () => {
  fc.assert(
    fc.property(level, u48, u48, u32, u32, fc.uint8Array({ maxLength: 30 }), fc.nat(5), (...values) => {
      const [level, timeMs, session, sequence, acked, array, skipped] = values;
      const commands = asBytes(array);
      const start = Math.min(skipped, commands.length);
      const batch = makeBatch(level, commands, start, commands.length);
      assert.deepEqual(readBatchHeader(batch), { level, timeMs: 0, session: 0, sequence: 0, acked: 0 });
      tagBatch(batch, session, sequence, acked);
      stampBatch(batch, timeMs);
      assert.deepEqual(readBatchHeader(batch), { level, timeMs, session, sequence, acked });
      assert(batch.subarray(BATCH_HEADER_BYTES).equals(commands.subarray(start)));
    }),
  );
});

test("a batch has memory of its own", () => {
  const commands = asBytes(Uint8Array.of(1, 2, 3));
  const batch = makeBatch("majority", commands, 0, 3);
  commands.fill(0);
  assert.deepEqual([...batch.subarray(BATCH_HEADER_BYTES)], [1, 2, 3]);
});

test("what is too short or of another format is refused", () => {
  const batch = makeBatch("majority", asBytes(new Uint8Array()), 0, 0);
  assert.equal(batch.length, BATCH_HEADER_BYTES);
  const refused = [batch.subarray(0, BATCH_HEADER_BYTES - 1), batch.subarray(0, 0)];
  const newer = makeBatch("majority", asBytes(new Uint8Array()), 0, 0);
  newer[0] = 2;
  for (const bytes of [...refused, newer]) {
    assert.throws(
      () => readBatchHeader(bytes),
      (error) => error instanceof MinikeyError && error.code === "PROTOCOL",
    );
  }
});
