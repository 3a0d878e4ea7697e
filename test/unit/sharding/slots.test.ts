import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { keyFromText, latin1ToBytes } from "../../../src/core/bytes.js";
import { crc16 } from "../../../src/core/crc16.js";
import { GrowingKey, SLOT_COUNT, slotOfBytes, slotOfKey } from "../../../src/sharding/slots.js";

function slotOfText(text: string): number {
  const bytes = latin1ToBytes(`{x}${keyFromText(text)}{y}`);
  return slotOfBytes(bytes, 3, bytes.length - 3);
}

describe("slots", () => {
  it("are those that Redis Cluster computes", () => {
    // The check value of CRC-16/XMODEM, and slots as `CLUSTER KEYSLOT` of redis-server 7.0 gives them.
    assert.equal(crc16(latin1ToBytes("123456789")), 0x31c3);
    for (const [key, slot] of [
      ["somekey", 11058],
      ["foo{hash_tag}", 2515],
      ["foo", 12182],
      ["bar", 5061],
      ["hello", 866],
      ["", 0],
    ] as const) {
      assert.equal(slotOfText(key), slot, key);
    }
  });

  it("are those of the tag alone, between the first brace and the next closing one", () => {
    assert.equal(slotOfText("{user1000}.following"), slotOfText("{user1000}.followers"));
    assert.equal(slotOfText("a{bar}b{foo}"), slotOfText("bar"));
    assert.equal(slotOfText("foo{{bar}}zap"), slotOfText("{bar"));
    assert.equal(slotOfText("foo{bar}{zap}"), slotOfText("bar"));
    assert.notEqual(slotOfText("foo{}{bar}"), slotOfText("bar"));
    assert.notEqual(slotOfText("foo{bar"), slotOfText("bar"));
  });

  it("are the same for a key as bytes and as a string", () => {
    const keys = fc.array(fc.constantFrom("{", "}", "a", "b", "\xff", "\0"), { maxLength: 12 });
    fc.assert(
      fc.property(keys, (characters) => {
        const key = characters.join("");
        const bytes = latin1ToBytes(key);
        const slot = slotOfBytes(bytes, 0, bytes.length);
        assert.equal(slotOfKey(key), slot);
        assert.ok(slot >= 0 && slot < SLOT_COUNT);
      }),
      { numRuns: 1_000 },
    );
  });

  it("of a key that grows are at every length those of the key that it is by then", () => {
    const growing = new GrowingKey();
    const piece = fc.constantFrom("a", "person:12", ".", "{", "}", "{}", "{tag}", "\u00e9", "x".repeat(40));
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), (pieces) => {
        const bytes = latin1ToBytes(`}{x}${pieces.join("")}{y}`);
        const start = 4;
        growing.reset(bytes, start);
        pieces.forEach((_, i) => {
          const key = pieces.slice(0, i + 1).join("");
          assert.equal(growing.slotTo(start + key.length), slotOfKey(key), key);
        });
      }),
    );
  });
});
