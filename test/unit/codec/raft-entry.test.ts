import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte-reader.js";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import {
  decodeConfiguration,
  encodeConfiguration,
  entriesHeaderLength,
  HARD_STATE_BYTES,
  pushEntriesData,
  readEntries,
  readHardState,
  readSnapshotMeta,
  snapshotMetaLength,
  writeEntriesHeader,
  writeHardState,
  writeSnapshotMeta,
} from "../../../src/codec/raft-entry.js";
import type { Entry } from "../../../src/codec/raft-types.js";
import { allocBytes, type Bytes, concatBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { configurations, entriesFrom, hardStates, metas } from "./raft-generators.js";

function encodeEntries(entries: readonly Entry[]): Bytes {
  const writer = new ByteWriter(1);
  writeEntriesHeader(entries, writer);
  assert.equal(writer.length, entriesHeaderLength(entries));
  const parts: Uint8Array[] = [writer.toBytes()];
  pushEntriesData(entries, parts);
  return concatBytes(parts);
}

const decodeEntries = (bytes: Bytes): Entry[] => {
  const reader = new ByteReader(bytes, "entries");
  const entries = readEntries(reader);
  reader.expectEnd();
  return entries;
};

test("entries survive a round trip", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 47 }).chain(entriesFrom), (entries) => {
      assert.deepEqual(decodeEntries(encodeEntries(entries)), entries);
    }),
  );
});

test("entry data are referred to, not copied", () => {
  fc.assert(
    fc.property(entriesFrom(1), (entries) => {
      const parts: Uint8Array[] = [];
      pushEntriesData(entries, parts);
      assert.deepEqual(
        parts,
        entries.map((entry) => entry.data).filter((data) => data.length > 0),
      );
      const bytes = encodeEntries(entries);
      for (const entry of decodeEntries(bytes)) assert.equal(entry.data.buffer, bytes.buffer);
    }),
  );
});

test("hard states, configurations and snapshot descriptions survive a round trip", () => {
  fc.assert(
    fc.property(hardStates, configurations, metas, (state, configuration, meta) => {
      const writer = new ByteWriter(1);
      writeHardState(state, writer);
      assert.equal(writer.length, HARD_STATE_BYTES);
      writeSnapshotMeta(meta, writer);
      assert.equal(writer.length, HARD_STATE_BYTES + snapshotMetaLength(meta));
      const reader = new ByteReader(writer.toBytes(), "test");
      assert.deepEqual(readHardState(reader), state);
      assert.deepEqual(readSnapshotMeta(reader), meta);
      reader.expectEnd();
      assert.deepEqual(decodeConfiguration(encodeConfiguration(configuration)), configuration);
    }),
  );
});

test("entries cut short at any byte are refused with the offset", () => {
  fc.assert(
    fc.property(entriesFrom(7), (entries) => {
      const bytes = encodeEntries(entries);
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(
          () => decodeEntries(bytes.subarray(0, length)),
          (error) =>
            error instanceof MinikeyError && error.code === "PROTOCOL" && /at byte \d+/.test(error.message),
        );
      }
    }),
  );
});

test("entries with changed bytes either decode or are refused, within bounds", () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(entriesFrom(7), fc.array(change, { minLength: 1, maxLength: 4 }), (entries, changes) => {
      const bytes = encodeEntries(entries);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      try {
        for (const entry of decodeEntries(bytes)) assert.ok(entry.data.length <= bytes.length);
      } catch (error) {
        assert.ok(error instanceof MinikeyError && error.code === "PROTOCOL", String(error));
      }
    }),
  );
});

test("a file's malformed bytes are called corrupt data", () => {
  assert.throws(
    () => decodeConfiguration(allocBytes(2), "DATA_CORRUPT"),
    (error) => error instanceof MinikeyError && error.code === "DATA_CORRUPT",
  );
});
