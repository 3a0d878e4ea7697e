import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { concatBytes, latin1ToBytes } from "../../../../src/core/bytes.js";
import { KeyHash } from "../../../../src/storage/overlay/key-hash.js";

const u32 = (value: number): number => value >>> 0;
const rotl = (value: number, bits: number): number => u32((value << bits) | (value >>> (32 - bits)));

/** HalfSipHash with `c` and `d` rounds, 32 bits, written down as its authors describe it. */
function reference(message: Uint8Array, key0: number, key1: number, c: number, d: number): number {
  const v = [u32(key0), u32(key1), u32(0x6c796765 ^ key0), u32(0x74656462 ^ key1)];
  const round = (): void => {
    v[0] = u32(v[0] + v[1]);
    v[1] = rotl(v[1], 5);
    v[1] = u32(v[1] ^ v[0]);
    v[0] = rotl(v[0], 16);
    v[2] = u32(v[2] + v[3]);
    v[3] = rotl(v[3], 8);
    v[3] = u32(v[3] ^ v[2]);
    v[0] = u32(v[0] + v[3]);
    v[3] = rotl(v[3], 7);
    v[3] = u32(v[3] ^ v[0]);
    v[2] = u32(v[2] + v[1]);
    v[1] = rotl(v[1], 13);
    v[1] = u32(v[1] ^ v[2]);
    v[2] = rotl(v[2], 16);
  };
  const padded = new Uint8Array((Math.floor(message.length / 4) + 1) * 4);
  padded.set(message);
  padded[padded.length - 1] = message.length;
  const words = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 4) {
    const word = words.getUint32(at, true);
    v[3] = u32(v[3] ^ word);
    for (let i = 0; i < c; i += 1) round();
    v[0] = u32(v[0] ^ word);
  }
  v[2] = u32(v[2] ^ 0xff);
  for (let i = 0; i < d; i += 1) round();
  return u32(v[1] ^ v[3]);
}

/** The first of the authors' test vectors for 2 and 4 rounds: key 00 … 07, messages 00, 00 01, …. */
const VECTORS_2_4 = [0x5b9f35a9, 0xb85a4727, 0x03a662fa, 0x04e7fe8a];

test("the reference agrees with the authors' test vectors", () => {
  for (const [length, expected] of VECTORS_2_4.entries()) {
    const message = Uint8Array.from({ length }, (_, i) => i);
    assert.equal(reference(message, 0x03020100, 0x07060504, 2, 4), expected, `${length} bytes`);
  }
});

test("hashes any key as HalfSipHash-1-3 does", () => {
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const key = fc.uint8Array({ maxLength: 70 }).map((bytes) => latin1ToBytes(String.fromCharCode(...bytes)));
  fc.assert(
    fc.property(key, word, word, (bytes, key0, key1) => {
      const hash = new KeyHash(key0, key1);
      const expected = reference(bytes, key0, key1, 1, 3);
      assert.equal(u32(hash.of(bytes.latin1Slice())), expected);
      assert.equal(
        u32(hash.ofBytes(concatBytes([latin1ToBytes("ab"), bytes]), 2, 2 + bytes.length)),
        expected,
      );
    }),
  );
});
