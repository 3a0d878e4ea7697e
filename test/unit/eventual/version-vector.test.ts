import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte-reader.js";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import { allocBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { replicaId } from "../../../src/core/ids.js";
import { LAST_NUMBER, VersionVector } from "../../../src/eventual/version-vector.js";

const parts = fc.array(
  fc.tuple(
    fc.oneof(fc.nat({ max: 4 }), fc.constantFrom(2 ** 31, 2 ** 32 - 1)),
    fc.oneof(fc.nat({ max: 9 }), fc.constant(LAST_NUMBER)),
  ),
  { maxLength: 12 },
);

const vectorOf = (all: readonly (readonly [number, number])[]): VersionVector => {
  const vector = new VersionVector();
  for (const [origin, number] of all) vector.advance(replicaId(origin), number);
  return vector;
};

const mapOf = (all: readonly (readonly [number, number])[]): Map<number, number> => {
  const map = new Map<number, number>();
  for (const [origin, number] of all) map.set(origin, Math.max(number, map.get(origin) ?? 0));
  for (const [origin, number] of map) if (number === 0) map.delete(origin);
  return map;
};

test("a vector has of each origin what it was advanced to at the furthest", () => {
  fc.assert(
    fc.property(parts, (all) => {
      const vector = vectorOf(all);
      const map = mapOf(all);
      assert.deepEqual(
        [...vector.origins],
        [...map.keys()].toSorted((a, b) => a - b),
      );
      for (const [origin, number] of map) {
        assert.equal(vector.get(replicaId(origin)), number);
        assert.ok(vector.has({ origin: replicaId(origin), number }));
        assert.ok(!vector.has({ origin: replicaId(origin), number: number + 1 }));
        assert.equal(vector.advance(replicaId(origin), number), false);
      }
      assert.equal(vector.get(replicaId(77)), 0);
    }),
  );
});

test("vectors merge, compare and survive a round trip", () => {
  fc.assert(
    fc.property(parts, parts, (these, those) => {
      const [a, b] = [vectorOf(these), vectorOf(those)];
      const both = a.copy();
      assert.equal(both.mergeFrom(b), !a.covers(b));
      assert.ok(both.covers(a) && both.covers(b) && both.equals(vectorOf([...those, ...these])));
      assert.equal(a.covers(both), a.equals(both));
      assert.ok(a.equals(vectorOf(these)));
      const writer = new ByteWriter(1);
      both.encode(writer);
      const reader = new ByteReader(writer.toBytes(), "vector");
      assert.ok(VersionVector.decode(reader).equals(both));
      reader.expectEnd();
    }),
  );
});

test("bytes that are no vector are refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (array) => {
      const bytes = allocBytes(array.length);
      bytes.set(array);
      try {
        const vector = VersionVector.decode(new ByteReader(bytes, "vector"));
        assert.ok(vector.origins.every((origin, i) => i === 0 || vector.origins[i - 1] < origin));
      } catch (error) {
        assert.ok(error instanceof MinikeyError && error.code === "PROTOCOL", String(error));
      }
    }),
  );
  const twice = new ByteWriter();
  twice.varint(2);
  for (const number of [5, 6]) {
    twice.u32(7);
    twice.u48(number);
  }
  assert.throws(() => VersionVector.decode(new ByteReader(twice.toBytes(), "vector")), /out of order/);
});
