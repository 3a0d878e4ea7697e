import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { allocBytes, EMPTY_BYTES, latin1ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { STAMP_MAX, type Stamp } from "../../../src/core/hybrid-clock.js";
import { sameRecord } from "../../../src/eventual/merge.js";
import {
  checkRecord,
  expiresAtOf,
  isPlain,
  isTombstone,
  isValue,
  NO_BASE,
  numberOf,
  originOf,
  plainBytes,
  readEventual,
  recordBytes,
  type StoredRecord,
  stampOf,
  typeOf,
  valueStartOf,
  writeEventual,
  writePlain,
} from "../../../src/eventual/record.js";
import type { CounterSlot, EventualRecord, SeenSlot } from "../../../src/eventual/types.js";
import { ORIGINS, records } from "./record-generators.js";

const AROUND = 5;

/** Somewhere in the middle of other bytes, as records lie in a store. */
function laidOut(record: EventualRecord): StoredRecord {
  const bytes = allocBytes(recordBytes(record) + 2 * AROUND).fill(0xee);
  writeEventual(bytes, AROUND, record);
  return { bytes, start: AROUND, end: bytes.length - AROUND };
}

test("a record survives a round trip, and nothing around it is touched", () => {
  fc.assert(
    fc.property(records, (record) => {
      const stored = laidOut(record);
      checkRecord(stored);
      const read = readEventual(stored);
      const { bytes, start, end, ...parts } = read;
      const { bytes: oldBytes, start: oldStart, end: oldEnd, ...oldParts } = record;
      assert.deepEqual(parts, oldParts);
      assert.equal(bytes.latin1Slice(start, end), oldBytes.latin1Slice(oldStart, oldEnd));
      assert.equal(bytes, stored.bytes);
      assert.ok(sameRecord(read, record));
      assert.ok(stored.bytes.subarray(0, AROUND).every((byte) => byte === 0xee));
      assert.ok(stored.bytes.subarray(stored.end).every((byte) => byte === 0xee));
    }),
    { numRuns: 2000 },
  );
});

test("what can be told of a record without reading it is what reading it tells", () => {
  fc.assert(
    fc.property(records, (record) => {
      const stored = laidOut(record);
      const { base, type } = record;
      assert.equal(stampOf(stored), base.stamp);
      assert.equal(originOf(stored), base.origin);
      assert.equal(numberOf(stored), base.number);
      assert.equal(typeOf(stored), type);
      assert.equal(expiresAtOf(stored), record.expiresAtMs);
      assert.equal(valueStartOf(stored), readEventual(stored).start);
      assert.equal(
        isPlain(stored),
        record.expiry === undefined && record.slots.length + record.seen.length === 0,
      );
      assert.equal(isValue(stored), type === "string" || type === "json");
      assert.equal(isTombstone(stored), type === "expired" || (type === "none" && base.stamp > 0));
    }),
    { numRuns: 2000 },
  );
});

test("a plain record is laid out without an object of it as with one", () => {
  const value = latin1ToBytes("..value");
  for (const expiresAtMs of [0, 1_900_000_000_123]) {
    const base = { origin: ORIGINS[2], number: 2 ** 48 - 1, stamp: (2 ** 52 + 1) as Stamp };
    const bytes = allocBytes(plainBytes(5, expiresAtMs));
    writePlain(bytes, 0, "json", base.stamp, base.origin, base.number, expiresAtMs, value, 2, 7);
    const record: EventualRecord = {
      type: "json",
      base,
      expiresAtMs,
      expiry: undefined,
      slots: [],
      seen: [],
      bytes: value,
      start: 2,
      end: 7,
    };
    assert.ok(laidOut(record).bytes.subarray(AROUND, -AROUND).equals(bytes));
  }
});

test("sums are kept up to what 2^48 additions of 2^63 come to", () => {
  const largest = 2n ** 111n;
  for (const sum of [0n, 1n, -1n, 2n ** 53n, -(2n ** 53n), 2n ** 64n, -(2n ** 64n) - 1n, largest, -largest]) {
    const slot = { origin: ORIGINS[0], number: 9, stamp: 5 as Stamp, born: 2, bornAtMs: 1, endsAtMs: 0, sum };
    const record: EventualRecord = {
      type: "none",
      base: { origin: ORIGINS[0], number: 4, stamp: 4 as Stamp },
      expiresAtMs: 0,
      expiry: undefined,
      slots: [slot],
      seen: [{ origin: ORIGINS[1], number: 3, sum, by: { origin: ORIGINS[2], number: 1 } }],
      bytes: EMPTY_BYTES,
      start: 0,
      end: 0,
    };
    const stored = laidOut(record);
    checkRecord(stored);
    const { slots, seen } = readEventual(stored);
    assert.deepEqual([slots[0].sum, seen[0].sum], [sum, sum]);
  }
});

const isRefusal = (error: unknown): boolean => error instanceof MinikeyError && error.code === "PROTOCOL";

test("a record cut short in its head is refused", () => {
  fc.assert(
    fc.property(records, (record) => {
      const stored = laidOut(record);
      const valueStart = valueStartOf(stored);
      for (let end = stored.start; end < valueStart; end += 1) {
        assert.throws(() => checkRecord({ ...stored, end }), isRefusal);
        // Nothing behind it that could be read instead.
        const bytes = stored.bytes.subarray(0, end);
        assert.throws(() => checkRecord({ ...stored, bytes, end }), isRefusal);
      }
    }),
  );
});

test("random bytes and changed ones are a record that can be written again, or refused", () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  const changed = fc.tuple(records, fc.array(change, { maxLength: 4 })).map(([record, changes]) => {
    const { bytes, start, end } = laidOut(record);
    for (const [at, value] of changes) bytes[start + (at % (end - start))] = value;
    return { bytes, start, end };
  });
  const random = fc.uint8Array({ maxLength: 200 }).map((array) => {
    const bytes = allocBytes(array.length);
    bytes.set(array);
    return { bytes, start: 0, end: bytes.length };
  });
  let kept = 0;
  fc.assert(
    fc.property(fc.oneof(changed, random), (stored) => {
      try {
        checkRecord(stored);
      } catch (error) {
        assert.ok(isRefusal(error), String(error));
        return;
      }
      kept += 1;
      const again = laidOut(readEventual(stored));
      const { bytes, start, end } = stored;
      assert.ok(again.bytes.subarray(again.start, again.end).equals(bytes.subarray(start, end)));
    }),
    { numRuns: 5000 },
  );
  assert.ok(kept > 100, `${kept} of the records were none that could be kept`);
});

test("a record is refused that says what no replica could have written", () => {
  const base = { origin: ORIGINS[0], number: 4, stamp: 4000 as Stamp };
  const slot: CounterSlot = {
    origin: ORIGINS[1],
    number: 9,
    stamp: 5000 as Stamp,
    born: 2,
    bornAtMs: 1,
    endsAtMs: 0,
    sum: 1n,
  };
  const over: SeenSlot = { origin: ORIGINS[1], number: 3, sum: 1n, by: { origin: ORIGINS[0], number: 4 } };
  const good: EventualRecord = {
    type: "string",
    base,
    expiresAtMs: 7,
    expiry: undefined,
    slots: [slot],
    seen: [over],
    bytes: latin1ToBytes("1"),
    start: 0,
    end: 1,
  };
  checkRecord(laidOut(good));
  const none = { ...good, type: "none" as const, expiresAtMs: 0, end: 0 };
  checkRecord(laidOut(none));
  const bad: [string, EventualRecord][] = [
    ["stamp beyond all", { ...good, base: { ...base, stamp: (STAMP_MAX + 1) as Stamp } }],
    ["stamp that is no number", { ...good, base: { ...base, stamp: Number.NaN as Stamp } }],
    ["stamp between two", { ...good, base: { ...base, stamp: 4.5 as Stamp } }],
    ["stamp before all", { ...good, base: { ...base, stamp: -1 as Stamp } }],
    ["number 0", { ...good, base: { ...base, number: 0 } }],
    ["value never written", { ...good, base: NO_BASE }],
    ["expiry of what was never written", { ...good, type: "expired", base: NO_BASE, end: 0 }],
    ["writer of nothing", { ...none, base: { ...NO_BASE, number: 1 } }],
    ["expiry set before the base", { ...good, expiry: { ...base, stamp: 3999 as Stamp } }],
    ["expiry that is no time", { ...good, expiresAtMs: Number.NaN }],
    ["expiry before 1970", { ...good, expiresAtMs: -1 }],
    ["deletion that expires", { ...none, expiresAtMs: 9 }],
    ["deletion of which the expiry was set", { ...none, expiry: { ...base, stamp: 4001 as Stamp } }],
    ["deletion with a value", { ...none, end: 1 }],
    ["slots out of order", { ...good, slots: [slot, { ...slot, origin: ORIGINS[0] }] }],
    ["two slots of one origin", { ...good, slots: [slot, slot] }],
    ["slot that ends before it begins", { ...good, slots: [{ ...slot, born: 10 }] }],
    ["slot that never began", { ...good, slots: [{ ...slot, born: 0 }] }],
    ["slot that began at no time", { ...good, slots: [{ ...slot, bornAtMs: Number.NaN }] }],
    ["slot of a key that ends at no time", { ...good, slots: [{ ...slot, endsAtMs: -1 }] }],
    ["slot that was written over", { ...good, seen: [{ ...over, number: 9 }] }],
    ["slot written over by nothing", { ...good, seen: [{ ...over, by: { ...base, number: 0 } }] }],
    ["written over twice", { ...good, seen: [over, over] }],
    ["sum beyond all", { ...good, slots: [{ ...slot, sum: 2n ** 113n }] }],
    ["nothing", { ...none, base: NO_BASE, slots: [], seen: [] }],
  ];
  for (const [name, record] of bad) assert.throws(() => checkRecord(laidOut(record)), isRefusal, name);
});
