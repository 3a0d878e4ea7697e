import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { allocBytes, type Bytes, latin1ToBytes } from "../../../src/core/bytes.js";
import { stampAt } from "../../../src/core/hybrid-clock.js";
import { replicaId } from "../../../src/core/ids.js";
import { deleted, expired, expiringAt, setTo } from "../../../src/eventual/change.js";
import { addTo } from "../../../src/eventual/counter.js";
import { isCovered, latestStamp, merge, sameRecord, writesOf } from "../../../src/eventual/merge.js";
import {
  isLaterStored,
  recordBytes,
  type StoredRecord,
  writeEventual,
} from "../../../src/eventual/record.js";
import type { EventualRecord, Stamped } from "../../../src/eventual/types.js";
import { VersionVector } from "../../../src/eventual/version-vector.js";
import { ORIGINS, records } from "./record-generators.js";

const RUNS = { numRuns: 5000 };

function assertSame(actual: EventualRecord | undefined, expected: EventualRecord | undefined): void {
  if (actual !== undefined && expected !== undefined && sameRecord(actual, expected)) return;
  assert.deepEqual(actual, expected);
}

test("merging is commutative", () => {
  fc.assert(
    fc.property(records, records, (a, b) => assertSame(merge(a, b), merge(b, a))),
    RUNS,
  );
});

test("merging is associative", () => {
  fc.assert(
    fc.property(records, records, records, (a, b, c) =>
      assertSame(merge(merge(a, b), c), merge(a, merge(b, c))),
    ),
    RUNS,
  );
});

test("merging is idempotent, and says so by giving the same record back", () => {
  fc.assert(
    fc.property(records, records, (a, b) => {
      assert.equal(merge(a, a), a);
      const both = merge(a, b);
      assert.equal(merge(both, b), both);
      assert.equal(merge(both, a), both);
    }),
    RUNS,
  );
});

test("what merging gives has nothing that is earlier than in one of the two", () => {
  fc.assert(
    fc.property(records, records, (a, b) => {
      const both = merge(a, b);
      assert.equal(both.base.stamp, Math.max(a.base.stamp, b.base.stamp));
      const reached = (record: EventualRecord, origin: number): number =>
        Math.max(
          0,
          ...[...record.slots, ...record.seen].map((each) => (each.origin === origin ? each.number : 0)),
        );
      for (const origin of ORIGINS) {
        assert.equal(reached(both, origin), Math.max(reached(a, origin), reached(b, origin)));
      }
      assert.ok(latestStamp(both) <= Math.max(latestStamp(a), latestStamp(b)));
    }),
    RUNS,
  );
});

test("of two plain records, the one that merging takes can be told without reading them", () => {
  const plain = records.map((record) => ({ ...record, expiry: undefined, slots: [], seen: [] }));
  fc.assert(
    fc.property(plain, plain, (a, b) => {
      fc.pre(
        a.base.stamp > 0 &&
          b.base.stamp > 0 &&
          (a.base.origin !== b.base.origin || a.base.number !== b.base.number),
      );
      assert.equal(merge(a, b), isLaterStored(stored(a), stored(b)) ? a : b);
    }),
    RUNS,
  );
});

function stored(record: EventualRecord): StoredRecord {
  const bytes = allocBytes(recordBytes(record));
  writeEventual(bytes, 0, record);
  return { bytes, start: 0, end: bytes.length };
}

const [N1, N2, N3] = ORIGINS;
const NOW = Date.UTC(2031, 0, 1);

const at = (origin: number, number: number, ms: number): Stamped => ({
  origin: replicaId(origin),
  number,
  stamp: stampAt(NOW + ms),
});

const text = (value: string): [bytes: Bytes, start: number, end: number] => {
  const bytes = latin1ToBytes(value);
  return [bytes, 0, bytes.length];
};

const valueOf = ({ bytes, start, end }: EventualRecord): string => bytes.latin1Slice(start, end);

test("of equal stamps the larger replica wins", () => {
  const a = setTo(undefined, at(N1, 5, 0), "string", 0, ...text("n1"));
  const b = setTo(undefined, at(N2, 1, 0), "string", 0, ...text("n2"));
  assert.equal(valueOf(merge(a, b)), "n2");
  assert.equal(valueOf(merge(b, a)), "n2");
});

test("an expiry set alone stays with the value that it was set on", () => {
  const value = setTo(undefined, at(N1, 1, 0), "string", 0, ...text("v"));
  const expiring = expiringAt(value, at(N2, 1, 5), NOW + 1000, NOW);
  const again = expiringAt(value, at(N3, 1, 4), NOW + 2000, NOW);
  const other = setTo(value, at(N3, 1, 3), "string", 0, ...text("w"));
  assert.equal(merge(value, expiring).expiresAtMs, NOW + 1000);
  assert.equal(merge(again, expiring).expiresAtMs, NOW + 1000);
  for (const both of [merge(expiring, other), merge(other, expiring)]) {
    assert.deepEqual([valueOf(both), both.expiresAtMs, both.expiry], ["w", 0, undefined]);
  }
});

test("a value comes back that has expired here when another has changed its expiry in time", () => {
  const value = setTo(undefined, at(N1, 1, 0), "string", NOW + 50, ...text("v"));
  const there = expiringAt(value, at(N2, 1, 40), 0, NOW);
  const merged = merge(expired(value), there);
  assert.deepEqual([merged.type, valueOf(merged), merged.expiresAtMs], ["string", "v", 0]);
});

test("a value of which only what expired is left elsewhere has its value still, under the later expiry", () => {
  const value = setTo(undefined, at(N1, 1, 0), "string", NOW + 50, ...text("v"));
  const elsewhere = expired(expiringAt(value, at(N2, 1, 10), NOW + 20, NOW));
  const merged = merge(value, elsewhere);
  assert.deepEqual([merged.type, valueOf(merged), merged.expiresAtMs], ["string", "v", NOW + 20]);
});

test("a deletion goes with what it saw, and leaves the base that wins over it as it is", () => {
  const counted = addTo(undefined, at(N2, 7, 1), 3, NOW);
  const gone = deleted(counted, at(N1, 1, 2));
  const value = setTo(undefined, at(N3, 1, 5), "string", 0, ...text("5"));
  for (const both of [merge(merge(gone, value), counted), merge(merge(counted, value), gone)]) {
    assert.deepEqual([valueOf(both), both.slots, both.seen], ["5", [], gone.seen]);
  }
});

test("a vector covers a record when it has every write of it, and those that wrote over something", () => {
  fc.assert(
    fc.property(records, (record) => {
      const vector = new VersionVector();
      for (const { origin, number } of writesOf(record)) {
        if (vector.get(origin) >= number) continue;
        assert.equal(isCovered(record, vector), false);
        vector.advance(origin, number);
      }
      assert.equal(isCovered(record, vector), true);
    }),
    RUNS,
  );
});
