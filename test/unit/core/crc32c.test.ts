import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { crc32c } from "../../../src/core/crc32c.js";

/** The definition, one bit at a time. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

describe("crc32c", () => {
  // RFC 3720, appendix B.4; each checksum is given there byte by byte, lowest first.
  const ascending = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
  const readCommand = Buffer.from(
    "01c000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000",
    "hex",
  );
  const vectors: [name: string, bytes: Buffer, crc: number][] = [
    ["32 bytes of zeroes", Buffer.alloc(32), 0x8a9136aa],
    ["32 bytes of ones", Buffer.alloc(32, 0xff), 0x62a8ab43],
    ["32 bytes of incrementing 00..1f", ascending, 0x46dd794e],
    ["32 bytes of decrementing 1f..00", Buffer.from(ascending.toReversed()), 0x113fdb5c],
    ["an iSCSI SCSI Read (10) command PDU", readCommand, 0xd9963a56],
    ["the check value of the CRC catalogue", Buffer.from("123456789"), 0xe3069283],
  ];
  for (const [name, bytes, crc] of vectors) {
    it(`gives RFC 3720's value for ${name}`, () => assert.equal(crc32c(bytes), crc));
  }

  it("agrees with the bit-by-bit definition at every length and offset", () => {
    const bytes = Buffer.from(Array.from({ length: 80 }, (_, i) => (i * 167 + 13) & 0xff));
    for (let start = 0; start < 20; start += 1) {
      for (let end = start; end <= bytes.length; end += 1) {
        assert.equal(crc32c(bytes, start, end), slowCrc32c(bytes.subarray(start, end)), `${start}..${end}`);
      }
    }
  });

  it("continues from the checksum of the bytes before", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, cut) => {
        const at = Math.min(cut, bytes.length);
        assert.equal(crc32c(bytes, at, bytes.length, crc32c(bytes, 0, at)), crc32c(bytes));
      }),
    );
  });

  it("changes with any single flipped bit", () => {
    const bytes = Buffer.from("a record of the write-ahead log, somewhat longer than two steps");
    const whole = crc32c(bytes);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      bytes[bit >>> 3] ^= 1 << (bit & 7);
      assert.notEqual(crc32c(bytes), whole, `bit ${bit}`);
      bytes[bit >>> 3] ^= 1 << (bit & 7);
    }
  });
});
