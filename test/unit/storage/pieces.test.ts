import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { asBytes, type Bytes } from "../../../src/core/bytes.js";
import { crc32c } from "../../../src/core/crc32c.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { PieceReader, PieceWriter } from "../../../src/storage/pieces.js";
import { storedValue } from "../../support/engine-model.js";

type Row = [table: number, key: string, value: string];

const binary = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => asBytes(bytes).latin1Slice());

const rows = fc.array(fc.tuple(fc.nat(2), binary(1, 40), binary(0, 300)), { minLength: 1, maxLength: 20 });

function write(records: readonly Row[]): Bytes {
  const writer = new PieceWriter(64);
  for (const [table, key, value] of records) writer.add(table, key, storedValue(value));
  return writer.finish();
}

function read(piece: Bytes): Row[] {
  const reader = new PieceReader(piece);
  const found: Row[] = [];
  while (reader.advance()) {
    found.push([reader.table, reader.key, piece.latin1Slice(reader.valueStart, reader.valueEnd)]);
  }
  return found;
}

const isCorrupt = (error: unknown): boolean => error instanceof MinikeyError && error.code === "DATA_CORRUPT";

describe("snapshot pieces", () => {
  it("read as they were written", () => {
    fc.assert(fc.property(rows, (records) => assert.deepEqual(read(write(records)), records)));
  });

  it("are refused when any byte of them has changed, or when they are cut off", () => {
    fc.assert(
      fc.property(rows, fc.nat(), fc.integer({ min: 1, max: 255 }), (records, at, change) => {
        const piece = write(records);
        assert.throws(
          () => read(asBytes(piece.with(at % piece.length, piece[at % piece.length] ^ change))),
          isCorrupt,
        );
        assert.throws(() => read(piece.subarray(0, at % piece.length)), isCorrupt);
      }),
    );
  });

  it("never lead past their end, whatever they hold under a valid checksum", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 60 }), (noise) => {
        const piece = asBytes(noise);
        piece.writeUInt32LE(crc32c(piece, 4, piece.length), 0);
        try {
          for (const [table, key] of read(piece)) assert.ok(table < 3 && key.length > 0);
        } catch (error) {
          assert.ok(isCorrupt(error));
        }
      }),
    );
  });
});
