/** The reference of eventual keyspaces: what writes come to by their definition. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KnownKey, partsOf } from "../../../sim/checks/eventual-known.js";
import { EMPTY_BYTES, utf8ToBytes } from "../../../src/core/bytes.js";
import type { Stamp } from "../../../src/core/hybrid-clock.js";
import { replicaId } from "../../../src/core/ids.js";
import type { CounterSlot, EventualRecord, SeenSlot, Stamped } from "../../../src/eventual/types.js";

const write = (origin: number, number: number, stamp: number): Stamped => ({
  origin: replicaId(origin),
  number,
  stamp: stamp as Stamp,
});

const slot = (origin: number, number: number, born: number, sum: bigint): CounterSlot => ({
  ...write(origin, number, number),
  born,
  bornAtMs: 0,
  endsAtMs: 0,
  sum,
});

const seen = (origin: number, number: number, sum: bigint): SeenSlot => ({
  origin: replicaId(origin),
  number,
  sum,
  by: { origin: replicaId(9), number: 1 },
});

const NOTHING: EventualRecord = {
  type: "none",
  base: write(0, 0, 0),
  expiresAtMs: 0,
  expiry: undefined,
  slots: [],
  seen: [],
  bytes: EMPTY_BYTES,
  start: 0,
  end: 0,
};

function value(base: Stamped, text: string, more: Partial<EventualRecord> = {}): EventualRecord {
  const bytes = utf8ToBytes(text);
  return { ...NOTHING, type: "string", base, bytes, end: bytes.length, ...more };
}

const deletion = (base: Stamped, noted: readonly SeenSlot[] = []): EventualRecord => ({
  ...NOTHING,
  base,
  seen: noted,
});

function textOf(...records: EventualRecord[]): string | undefined {
  const known = new KnownKey();
  for (const record of records) known.add(record);
  const again = new KnownKey();
  for (const record of records.toReversed()) again.join(KnownKey.of(record));
  assert.equal(again.text, known.text, "in the other order");
  return known.text;
}

test("the later value wins, and of equal stamps the larger replica", () => {
  assert.equal(textOf(value(write(1, 1, 10), "a"), value(write(2, 1, 9), "b")), "a");
  assert.equal(textOf(value(write(1, 1, 10), "a"), value(write(2, 1, 10), "b")), "b");
  assert.equal(textOf(value(write(1, 1, 10), "a"), deletion(write(2, 1, 11))), undefined);
});

test("what a base had not seen of a counter counts, and what it had seen does not", () => {
  const counted = { ...NOTHING, slots: [slot(1, 4, 2, 7n), slot(2, 9, 9, -1n)] };
  assert.equal(textOf(counted), "6");
  assert.equal(textOf(counted, value(write(1, 5, 50), "100", { seen: [seen(1, 3, 5n)] })), "101");
  assert.equal(textOf(counted, deletion(write(1, 5, 50), [seen(1, 4, 7n), seen(2, 9, -1n)])), undefined);
  assert.equal(textOf(counted, deletion(write(1, 5, 50), [seen(1, 1, 3n), seen(2, 9, -1n)])), "7");
  assert.equal(textOf(counted, value(write(1, 5, 50), "text")), "text");
});

test("of one value the latest change of its expiry holds; what is set later has its own", () => {
  const known = KnownKey.of(value(write(1, 1, 10), "a", { expiresAtMs: 99 }));
  known.add({ ...value(write(1, 1, 10), "a"), expiresAtMs: 500, expiry: write(2, 1, 20) });
  assert.equal(known.expiresAtMs, 500);
  known.add({ ...value(write(1, 1, 10), "a"), expiresAtMs: 400, expiry: write(3, 1, 15) });
  assert.equal(known.expiresAtMs, 500);
  known.add(value(write(3, 1, 11), "b"));
  assert.equal(known.expiresAtMs, 0);
});

test("a write is covered by itself and by what replaces it, and by nothing else", () => {
  const [old] = partsOf(value(write(1, 1, 10), "a"));
  const [added] = partsOf({ ...NOTHING, slots: [slot(1, 4, 2, 7n)] });
  assert(KnownKey.of(value(write(1, 1, 10), "a")).covers(old));
  assert(KnownKey.of(deletion(write(2, 5, 11))).covers(old));
  assert(!KnownKey.of(value(write(2, 5, 9), "b")).covers(old));
  assert(!KnownKey.of(value(write(2, 5, 99), "b")).covers(added));
  assert(KnownKey.of(value(write(2, 5, 99), "b", { seen: [seen(1, 4, 7n)] })).covers(added));
});
