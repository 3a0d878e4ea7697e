import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import { decodeCommand, encodeCommand } from "../../../src/commands/encoding.js";
import { Args } from "../../../src/commands/types.js";
import { allocBytes, asBytes, type Bytes, EMPTY_BYTES } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { argsOf } from "../../support/commands.js";

const words = fc.array(fc.string({ maxLength: 300 }), { maxLength: 10 });

function encode(opcode: number, args: Args): Bytes {
  const writer = new ByteWriter(1);
  encodeCommand(writer, opcode, args);
  return writer.toBytes();
}

function isRefused(bytes: Bytes): boolean {
  try {
    decodeCommand(bytes, 0, bytes.length, new Args(EMPTY_BYTES));
    return false;
  } catch (error) {
    assert.ok(error instanceof MinikeyError && error.code === "DATA_CORRUPT", String(error));
    return true;
  }
}

describe("a command in a log entry", () => {
  it("comes back with its opcode and arguments, wherever it lies in the entry", () => {
    fc.assert(
      fc.property(fc.nat(100_000), words, fc.nat(50), (opcode, rest, offset) => {
        const bytes = encode(opcode, argsOf("NAME", ...rest));
        const entry = allocBytes(offset + bytes.length + 9);
        bytes.copy(entry, offset);
        const args = new Args(EMPTY_BYTES);
        args.push(1, 2);
        assert.equal(decodeCommand(entry, offset, offset + bytes.length, args), opcode);
        assert.equal(args.bytes, entry);
        assert.equal(args.count, rest.length + 1);
        assert.equal(args.text(0), "");
        assert.deepEqual(
          rest.map((_, i) => args.text(i + 1)),
          rest,
        );
      }),
    );
  });

  it("takes two bytes and one for each argument beside the arguments themselves", () => {
    assert.equal(encode(1, argsOf("SET", "key", "value")).length, 2 + 1 + 3 + 1 + 5);
  });

  it("is refused when it is cut off anywhere or has bytes too many", () => {
    const bytes = encode(300, argsOf("SET", "key", "value", ""));
    for (let length = 0; length < bytes.length; length += 1) assert.ok(isRefused(bytes.subarray(0, length)));
    assert.ok(isRefused(asBytes(Buffer.concat([bytes, Buffer.of(0)]))));
  });

  it("is refused or read when its bytes are any, never read past its end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        isRefused(asBytes(noise));
      }),
      { numRuns: 2_000 },
    );
  });
});
