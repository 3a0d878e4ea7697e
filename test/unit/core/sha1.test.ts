import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { latin1ToBytes } from "../../../src/core/bytes.js";
import { sha1 } from "../../../src/core/sha1.js";

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("SHA-1", () => {
  it("gives the digests of FIPS 180's examples", () => {
    const examples: [message: string, digest: string][] = [
      ["", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
      ["abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
      [
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
      ],
      [
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "a49b2446a02c645bf419f995b67091253a04a259",
      ],
      ["a".repeat(1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"],
    ];
    for (const [message, digest] of examples) assert.equal(hexOf(sha1(latin1ToBytes(message))), digest);
  });

  it("agrees with Node's at every length around the block and padding bounds", () => {
    for (let length = 0; length <= 200; length += 1) {
      const message = new Uint8Array(length).map((_, i) => (i * 7 + length) & 0xff);
      assert.equal(hexOf(sha1(message)), createHash("sha1").update(message).digest("hex"), `${length} bytes`);
    }
  });

  it("agrees with Node's on any bytes, and leaves them as they were", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1000 }), (message) => {
        const before = hexOf(message);
        assert.equal(hexOf(sha1(message)), createHash("sha1").update(message).digest("hex"));
        assert.equal(hexOf(message), before);
      }),
    );
  });
});
