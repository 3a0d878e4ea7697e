import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { allocBytes, type Bytes, copyBytes, type Key, latin1ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import type { Stamp } from "../../../src/core/hybrid-clock.js";
import { replicaId } from "../../../src/core/ids.js";
import { BatchReader, BatchWriter, checkBatch } from "../../../src/eventual/batch.js";
import { sameRecord } from "../../../src/eventual/merge.js";
import { readEventual, recordBytes, writeEventual } from "../../../src/eventual/record.js";
import type { EventualRecord } from "../../../src/eventual/types.js";
import { ORIGINS, records } from "./record-generators.js";

type Advance = readonly [origin: number, after: number, upTo: number];

const keys = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
});
const entries = fc.array(fc.tuple(keys, records), { maxLength: 8 });
const advances: fc.Arbitrary<Advance[]> = fc.array(
  fc.tuple(fc.constantFrom(1, 65_536, 2 ** 32 - 1), fc.nat({ max: 5 }), fc.constantFrom(5, 6, 2 ** 48 - 1)),
  { maxLength: 4 },
);

function write(
  writer: BatchWriter,
  all: readonly (readonly [Key, EventualRecord])[],
  told: readonly Advance[],
): Bytes {
  for (const [key, record] of all) writer.record(key, record);
  for (const [origin, after, upTo] of told) writer.advance(replicaId(origin), after, upTo);
  return writer.take();
}

function assertBatch(
  batch: Bytes,
  all: readonly (readonly [Key, EventualRecord])[],
  told: readonly Advance[],
): void {
  checkBatch(batch);
  const reader = new BatchReader(batch);
  for (const [key, record] of all) {
    assert.ok(reader.next());
    assert.equal(reader.key, key);
    assert.ok(sameRecord(readEventual(reader), record));
  }
  assert.equal(reader.next(), false);
  assert.deepEqual(
    Array.from({ length: reader.advances }, (_, i) => [reader.origin(i), reader.after(i), reader.upTo(i)]),
    told,
  );
}

test("batches survive a round trip, one after the other", () => {
  const writer = new BatchWriter();
  fc.assert(
    fc.property(entries, advances, (all, told) => {
      assert.ok(writer.isEmpty);
      const batch = write(writer, all, told);
      assertBatch(batch, all, told);
      write(writer, [["other", all[0]?.[1] ?? PLAIN]], []);
      assertBatch(batch, all, told);
    }),
  );
});

test("a batch of several has the records and advances of all, in their order", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(entries, advances), { maxLength: 4 }), (parts) => {
      const writer = new BatchWriter();
      for (const [all, told] of parts) writer.batch(write(new BatchWriter(), all, told));
      assert.equal(writer.records, parts.flatMap(([all]) => all).length);
      assertBatch(
        writer.take(),
        parts.flatMap(([all]) => all),
        parts.flatMap(([, told]) => told),
      );
    }),
  );
});

const PLAIN: EventualRecord = {
  type: "json",
  base: { origin: ORIGINS[1], number: 7, stamp: 12_345_678 as Stamp },
  expiresAtMs: 1_900_000_000_000,
  expiry: undefined,
  slots: [],
  seen: [],
  bytes: latin1ToBytes("[1]"),
  start: 0,
  end: 3,
};

test("a record is the same in a batch from an object, from its parts, and as it is stored", () => {
  const { type, base, expiresAtMs, bytes, start, end } = PLAIN;
  const fromObject = write(new BatchWriter(), [["k", PLAIN]], []);
  const writer = new BatchWriter();
  writer.plain("k", type, base.stamp, base.origin, base.number, expiresAtMs, bytes, start, end);
  assert.ok(writer.take().equals(fromObject));
  const stored = allocBytes(recordBytes(PLAIN));
  writeEventual(stored, 0, PLAIN);
  writer.stored("k", { bytes: stored, start: 0, end: stored.length });
  assert.ok(writer.take().equals(fromObject));
});

test("a large batch is handed over as it is, and the next one is written elsewhere", () => {
  const bytes = allocBytes(300_000).fill(7);
  const large = { ...PLAIN, bytes, end: bytes.length };
  const writer = new BatchWriter();
  const batch = write(writer, [["large", large]], [[5, 0, 1]]);
  const copy = copyBytes(batch);
  assertBatch(write(writer, [["small", PLAIN]], []), [["small", PLAIN]], []);
  assert.ok(batch.equals(copy));
  assertBatch(batch, [["large", large]], [[5, 0, 1]]);
});

const isRefusal = (error: unknown): boolean => error instanceof MinikeyError && error.code === "PROTOCOL";

test("a batch cut short, or with other bytes, is refused or a batch, and never read past its end", () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(
      entries,
      advances,
      fc.array(change, { maxLength: 3 }),
      fc.nat(),
      (all, told, changes, cut) => {
        const batch = write(new BatchWriter(), all, told);
        for (const [at, value] of changes) batch[at % batch.length] = value;
        const bytes = batch.subarray(0, batch.length - (cut % batch.length));
        try {
          checkBatch(bytes);
        } catch (error) {
          assert.ok(isRefusal(error), String(error));
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test("a batch is refused with what no replica sends: empty and long keys, an advance backwards, half a record", () => {
  assert.throws(() => checkBatch(write(new BatchWriter(), [["", PLAIN]], [])), isRefusal);
  assert.throws(() => checkBatch(write(new BatchWriter(), [["k".repeat(1025), PLAIN]], [])), isRefusal);
  assert.throws(() => checkBatch(write(new BatchWriter(), [], [[5, 9, 8]])), isRefusal);
  const writer = new BatchWriter();
  writer.stored("k", { bytes: latin1ToBytes("no record"), start: 0, end: 9 });
  assert.throws(() => checkBatch(writer.take()), isRefusal);
  assert.throws(() => checkBatch(allocBytes(1)), isRefusal);
});
