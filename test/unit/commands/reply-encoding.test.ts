import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import {
  DoubleReply,
  MapReply,
  OK,
  PONG,
  ProtocolReply,
  type Reply,
  SetReply,
  Slice,
  Status,
  VerbatimReply,
} from "../../../src/commands/reply.js";
import { decodeReply, encodeReply } from "../../../src/commands/reply-encoding.js";
import { asBytes, type Bytes } from "../../../src/core/bytes.js";
import { ERROR_CLASSES, type ErrorCode, MinikeyError } from "../../../src/core/errors.js";
import { plain } from "../../support/commands.js";

const { reply: anyReply } = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.constantFrom<Reply>(null, true, false, OK, PONG),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.string(),
    fc.string().map((text) => new Status(text)),
    fc.string().map((text) => new VerbatimReply(text)),
    fc.double({ noNaN: true }).map((value) => new DoubleReply(value)),
    fc.uint8Array().map((bytes) => new Slice(asBytes(bytes), 0, bytes.length)),
    fc
      .tuple(
        fc.constantFrom(...(Object.keys(ERROR_CLASSES) as ErrorCode[])),
        fc.string(),
        fc.constantFrom("none" as const, "not-applied" as const, "unknown" as const),
      )
      .map(([code, message, outcome]) => new MinikeyError(code, message, { outcome })),
    fc.array(tie("reply"), { maxLength: 5 }),
    fc.tuple(tie("reply"), tie("reply")).map(([resp2, resp3]) => new ProtocolReply(resp2, resp3)),
    fc.array(tie("reply"), { maxLength: 5 }).map((items) => new SetReply(items)),
    fc.array(fc.tuple(tie("reply"), tie("reply")), { maxLength: 4 }).map((entries) => new MapReply(entries)),
  ),
}));

function encode(reply: Reply): Bytes {
  const writer = new ByteWriter(1);
  encodeReply(writer, reply);
  return writer.toBytes();
}

function decodeOrRefuse(bytes: Bytes): Reply | undefined {
  try {
    return decodeReply(bytes);
  } catch (error) {
    assert.ok(error instanceof MinikeyError && error.code === "DATA_CORRUPT", String(error));
    return undefined;
  }
}

describe("a reply as bytes", () => {
  it("comes back as it was, of the same kind, errors with code, outcome and message", () => {
    fc.assert(
      fc.property(anyReply, (reply) => {
        const decoded = decodeReply(encode(reply));
        assert.deepEqual(plain(decoded), plain(reply));
        assert.equal(decoded?.constructor, reply?.constructor);
        if (reply instanceof MinikeyError && decoded instanceof MinikeyError) {
          assert.equal(decoded.outcome, reply.outcome);
          assert.equal(decoded.retryable, reply.retryable);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("gives back the very constants that are compared by identity", () => {
    assert.equal(decodeReply(encode(OK)), OK);
    assert.equal(decodeReply(encode(PONG)), PONG);
  });

  it("holds its bytes without a copy", () => {
    const bytes = encode([new Slice(asBytes(Buffer.from("xxvaluexx")), 2, 7)]);
    const [slice] = decodeReply(bytes) as Slice[];
    assert.equal(slice.bytes, bytes);
    assert.equal(slice.bytes.utf8Slice(slice.start, slice.end), "value");
  });

  it("is refused when it is cut off anywhere or followed by something", () => {
    fc.assert(
      fc.property(anyReply, fc.nat(), (reply, n) => {
        const bytes = encode(reply);
        assert.equal(decodeOrRefuse(bytes.subarray(0, n % bytes.length)), undefined);
        assert.equal(decodeOrRefuse(asBytes(Buffer.concat([bytes, Buffer.of(0)]))), undefined);
      }),
    );
  });

  it("is refused or read when its bytes are any", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        decodeOrRefuse(asBytes(noise));
      }),
      { numRuns: 2_000 },
    );
  });

  it("is refused when it nests without end", () => {
    assert.equal(decodeOrRefuse(asBytes(Buffer.alloc(10_000, Buffer.of(13, 1)))), undefined);
  });
});
