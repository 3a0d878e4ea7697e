import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte-reader.js";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import { allocBytes, type Bytes, type Key } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { type Stamp, stampAt } from "../../../src/core/hybrid-clock.js";
import { replicaOf } from "../../../src/core/ids.js";
import { expired } from "../../../src/eventual/change.js";
import {
  Fingerprint,
  Fingerprints,
  LEAVES,
  LEAVES_PER_NODE,
  leafOf,
  NODES,
} from "../../../src/eventual/fingerprints.js";
import { compareStamped, merge } from "../../../src/eventual/merge.js";
import {
  plainBytes,
  recordBytes,
  type StoredRecord,
  writeEventual,
  writePlain,
} from "../../../src/eventual/record.js";
import type { EventualRecord } from "../../../src/eventual/types.js";
import { records } from "./record-generators.js";

const keys = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
});

function stored(record: EventualRecord): StoredRecord {
  const bytes = allocBytes(recordBytes(record));
  writeEventual(bytes, 0, record);
  return { bytes, start: 0, end: bytes.length };
}

function fingerprintOf(key: Key, record: EventualRecord): string {
  const fingerprint = new Fingerprint();
  fingerprint.ofRecord(key, record);
  return `${fingerprint.leaf} ${fingerprint.high} ${fingerprint.low}`;
}

function levels(fingerprints: Fingerprints): Bytes {
  const writer = new ByteWriter();
  writer.u32(fingerprints.rootHigh);
  writer.u32(fingerprints.rootLow);
  fingerprints.writeNodes(writer);
  for (let node = 0; node < NODES; node += 1) fingerprints.writeLeaves(writer, node);
  return writer.toBytes();
}

const maps = fc.uniqueArray(fc.tuple(keys, records), { selector: ([key]) => key, maxLength: 30 });

function fromScratch(all: readonly (readonly [Key, EventualRecord])[]): Fingerprints {
  const fingerprints = new Fingerprints();
  const fingerprint = new Fingerprint();
  for (const [key, record] of all) {
    fingerprint.ofStored(key, stored(record));
    fingerprints.toggleFingerprint(fingerprint);
  }
  return fingerprints;
}

test("fingerprints that were kept up to date are those of what is there, in any order", () => {
  fc.assert(
    fc.property(maps, maps, fc.nat(), (all, others, seed) => {
      const kept = fromScratch(others);
      const fingerprint = new Fingerprint();
      const steps = [...all, ...others].map((step, i) => ({ step, order: Math.sin(seed + i * 7) }));
      for (const { step } of steps.toSorted((a, b) => a.order - b.order)) {
        fingerprint.ofRecord(...step);
        kept.toggleFingerprint(fingerprint);
      }
      assert.ok(levels(kept).equals(levels(fromScratch(all))));
      assert.ok(kept.sameRoot(fromScratch(all.toReversed())));
    }),
  );
});

test("each level is the sum of the one below it", () => {
  fc.assert(
    fc.property(maps, (all) => {
      const fingerprints = fromScratch(all);
      let [high, low] = [0, 0];
      const nodes = new ByteWriter();
      fingerprints.writeNodes(nodes);
      const reader = new ByteReader(nodes.toBytes(), "nodes");
      for (let node = 0; node < NODES; node += 1) {
        let [ofLeavesHigh, ofLeavesLow] = [0, 0];
        const leaves = new ByteWriter();
        fingerprints.writeLeaves(leaves, node);
        const leafReader = new ByteReader(leaves.toBytes(), "leaves");
        for (let i = 0; i < LEAVES_PER_NODE; i += 1) {
          ofLeavesHigh ^= leafReader.u32();
          ofLeavesLow ^= leafReader.u32();
        }
        assert.deepEqual([reader.u32(), reader.u32()], [ofLeavesHigh >>> 0, ofLeavesLow >>> 0]);
        high ^= ofLeavesHigh;
        low ^= ofLeavesLow;
      }
      assert.deepEqual([fingerprints.rootHigh, fingerprints.rootLow], [high >>> 0, low >>> 0]);
    }),
  );
});

test("only nodes and leaves that a record is in differ by it", () => {
  fc.assert(
    fc.property(maps, keys, records, (all, key, record) => {
      const [before, after] = [fromScratch(all), fromScratch([...all, [key, record]])];
      const nodes = new ByteWriter();
      before.writeNodes(nodes);
      const reader = new ByteReader(nodes.toBytes(), "nodes");
      for (let node = 0; node < NODES; node += 1) {
        const isOwn = node === Math.floor(leafOf(key) / LEAVES_PER_NODE);
        assert.equal(after.isNode(node, reader), !isOwn);
        const leaves = new ByteWriter();
        before.writeLeaves(leaves, node);
        const leafReader = new ByteReader(leaves.toBytes(), "leaves");
        for (let leaf = node * LEAVES_PER_NODE; leaf < (node + 1) * LEAVES_PER_NODE; leaf += 1) {
          assert.equal(after.isLeaf(leaf, leafReader), leaf !== leafOf(key));
        }
      }
      assert.equal(after.sameRoot(before), false);
    }),
  );
});

test("fingerprints survive a round trip, and take a byte when there is nothing", () => {
  fc.assert(
    fc.property(maps, (all) => {
      const fingerprints = fromScratch(all);
      const writer = new ByteWriter();
      fingerprints.encode(writer);
      assert.equal(writer.length, all.length === 0 ? 1 : 1 + 8 * LEAVES);
      const reader = new ByteReader(writer.toBytes(), "fingerprints");
      assert.ok(levels(Fingerprints.decode(reader)).equals(levels(fingerprints)));
      reader.expectEnd();
      const short = new ByteReader(writer.toBytes(), "fingerprints", "DATA_CORRUPT", 0, writer.length - 1);
      assert.throws(() => Fingerprints.decode(short), MinikeyError);
    }),
  );
});

test("a record has the same fingerprint however it is looked at, and when its value has expired", () => {
  fc.assert(
    fc.property(keys, records, (key, record) => {
      const fingerprint = new Fingerprint();
      fingerprint.ofStored(key, stored(record));
      const { leaf, high, low } = fingerprint;
      assert.equal(`${leaf} ${high} ${low}`, fingerprintOf(key, record));
      assert.equal(leaf, leafOf(key));
      if (record.type !== "none")
        assert.equal(fingerprintOf(key, expired(record)), fingerprintOf(key, record));
    }),
  );
});

test("records of other writes have other fingerprints", () => {
  fc.assert(
    fc.property(keys, records, records, (key, a, b) => {
      const both = merge(a, b);
      const writes = (record: EventualRecord): string =>
        [record.base, record.expiry, ...record.slots]
          .map((write) => `${write?.origin} ${write?.number}`)
          .join();
      fc.pre(compareStamped(both.base, a.base) !== 0 || (a.seen.length === 0 && b.seen.length === 0));
      if (writes(both) !== writes(a)) assert.notEqual(fingerprintOf(key, both), fingerprintOf(key, a));
    }),
  );
});

test("of a million records of keys and writes that resemble each other, no two have the same 64 bits", () => {
  const COUNT = 1_000_000;
  const STAMP = stampAt(Date.UTC(2031, 4, 1));
  const ORIGIN = replicaOf(1, 0);
  const bytes = allocBytes(plainBytes(0, 0));
  const record: StoredRecord = { bytes, start: 0, end: bytes.length };
  const high = new Uint32Array(COUNT);
  const low = new Uint32Array(COUNT);
  const all = new BigUint64Array(COUNT);
  const inLeaf = new Uint32Array(LEAVES);
  const fingerprint = new Fingerprint();
  for (let i = 0; i < COUNT; i += 1) {
    const number = 1 + (i % 1000);
    writePlain(bytes, 0, "string", (STAMP + 4096 * number) as Stamp, ORIGIN, number, 0, bytes, 0, 0);
    fingerprint.ofStored(`key:${Math.floor(i / 10)}:${"0".repeat(i % 10)}`, record);
    high[i] = fingerprint.high;
    low[i] = fingerprint.low;
    all[i] = (BigInt(fingerprint.high) << 32n) | BigInt(fingerprint.low);
    inLeaf[fingerprint.leaf] += 1;
  }
  const twice = (sorted: Uint32Array | BigUint64Array): number => {
    let count = 0;
    for (let i = 1; i < sorted.length; i += 1) if (sorted[i] === sorted[i - 1]) count += 1;
    return count;
  };
  assert.equal(twice(all.sort()), 0);
  // As chance has it, about n² / 2^33 = 116 pairs of n records have the same 32 bits.
  for (const half of [high, low]) {
    const pairs = twice(half.sort());
    assert.ok(pairs > 50 && pairs < 200, `${pairs} pairs`);
  }
  for (const count of inLeaf) assert.ok(count > 750 && count < 1250, `${count} records in a leaf`);
});

test("flipping one bit of a key or of a write flips half of the bits", () => {
  const STAMP = stampAt(Date.UTC(2031, 4, 1));
  const bytes = allocBytes(plainBytes(0, 0));
  const fingerprintWith = (key: Key, number: number): Fingerprint => {
    writePlain(bytes, 0, "string", STAMP, replicaOf(2, 0), number, 0, bytes, 0, 0);
    const fingerprint = new Fingerprint();
    fingerprint.ofStored(key, { bytes, start: 0, end: bytes.length });
    return fingerprint;
  };
  let total = 0;
  const RECORDS = 2000;
  for (let i = 0; i < RECORDS; i += 1) {
    const key = `user:${i}`;
    const other = `user${String.fromCharCode(":".charCodeAt(0) ^ (1 << (i % 8)))}${i}`;
    const before = fingerprintWith(key, 1000 + i);
    for (const after of [
      fingerprintWith(other, 1000 + i),
      fingerprintWith(key, (1000 + i) ^ (1 << (i % 31))),
    ]) {
      const flipped = countBits(before.high ^ after.high) + countBits(before.low ^ after.low);
      assert.ok(flipped > 8, `only ${flipped} bits of ${key}`);
      total += flipped;
    }
  }
  const average = total / (2 * RECORDS);
  assert.ok(Math.abs(average - 32) < 0.5, `${average} bits on average`);
});

function countBits(word: number): number {
  let count = 0;
  for (let bits = word | 0; bits !== 0; bits &= bits - 1) count += 1;
  return count;
}
