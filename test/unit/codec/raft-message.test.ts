import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decodeMessage, encodeMessage, messageHeaderLength } from "../../../src/codec/raft-message.js";
import type { Message } from "../../../src/codec/raft-types.js";
import { type Bytes, concatBytes, EMPTY_BYTES } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { logIndex, replicaId, term } from "../../../src/core/ids.js";
import { messages } from "./raft-generators.js";

const isProtocolError = (error: unknown): boolean =>
  error instanceof MinikeyError &&
  error.code === "PROTOCOL" &&
  /^malformed raft message: .* at byte \d+$/.test(error.message);

/** Decodes from the middle of a larger buffer, as messages arrive in frames. */
function decodeFramed(bytes: Bytes): ReturnType<typeof decodeMessage> {
  const frame = concatBytes([new Uint8Array(5).fill(0xff), bytes, new Uint8Array(5).fill(0xff)]);
  return decodeMessage(frame, 5, 5 + bytes.length);
}

test("every message survives a round trip, from the middle of a frame", () => {
  fc.assert(
    fc.property(messages, (message) => {
      const parts = encodeMessage(message);
      assert.equal(parts[0].length, messageHeaderLength(message));
      const bytes = concatBytes(parts);
      assert.deepEqual(decodeFramed(bytes), message);
    }),
    { numRuns: 500 },
  );
});

test("the first part leaves headroom for the caller's own header", () => {
  fc.assert(
    fc.property(messages, fc.nat({ max: 9 }), (message, headroom) => {
      const bytes = concatBytes(encodeMessage(message, headroom));
      assert.deepEqual(decodeMessage(bytes, headroom), message);
    }),
  );
});

test("entry and snapshot data are referred to, not copied, both ways", () => {
  fc.assert(
    fc.property(messages, (message) => {
      const parts = encodeMessage(message);
      const bytes = concatBytes(parts);
      const decoded = decodeMessage(bytes);
      const given = message.type === "append" ? message.entries.map((entry) => entry.data) : [];
      if (message.type === "snapshot") given.push(message.data);
      assert.deepEqual(
        parts.slice(1),
        given.filter((data) => data.length > 0),
      );
      for (const part of parts.slice(1)) assert.ok(given.some((data) => data === part));
      const read = decoded.type === "append" ? decoded.entries.map((entry) => entry.data) : [];
      if (decoded.type === "snapshot") read.push(decoded.data);
      for (const data of read) assert.ok(data.length === 0 || data.buffer === bytes.buffer);
    }),
  );
});

test("a message cut short at any byte, or with a byte too many, is refused with the offset", () => {
  fc.assert(
    fc.property(messages, (message) => {
      const bytes = concatBytes(encodeMessage(message));
      for (let length = 0; length < bytes.length; length += 1) {
        assert.throws(() => decodeFramed(bytes.subarray(0, length)), isProtocolError);
      }
      assert.throws(() => decodeMessage(concatBytes([bytes, new Uint8Array(1)])), isProtocolError);
    }),
  );
});

test("a message with changed bytes either decodes or is refused, within bounds", () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(messages, fc.array(change, { minLength: 1, maxLength: 4 }), (message, changes) => {
      const bytes = concatBytes(encodeMessage(message));
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      try {
        assert.equal(concatBytes(encodeMessage(decodeFramed(bytes))).length, bytes.length);
      } catch (error) {
        assert.ok(isProtocolError(error), String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("what no replica that keeps the rules would send is refused", () => {
  const envelope = { from: replicaId(1), to: replicaId(2), term: term(5) };
  const entry = { index: logIndex(8), term: term(4), kind: "noop" as const, data: EMPTY_BYTES };
  const append = { type: "append" as const, ...envelope, prevIndex: logIndex(7), prevTerm: term(4) };
  const commit = logIndex(7);
  const meta = {
    index: logIndex(3),
    term: term(2),
    configuration: { voters: [replicaId(1)], votersOutgoing: [], learners: [] },
  };
  const snapshot = {
    type: "snapshot" as const,
    ...envelope,
    meta,
    offsetBytes: 0,
    data: EMPTY_BYTES,
    done: false,
  };
  const impossible: readonly [Message, RegExp][] = [
    [{ ...append, term: term(2 ** 47 + 1), entries: [entry], commit }, /: term 140737488355329 at/],
    [{ ...append, prevTerm: term(5), entries: [entry], commit }, /term 4 after 5/],
    [{ ...append, entries: [{ ...entry, term: term(6) }], commit }, /of term 6 in a message of 5/],
    [{ ...append, term: term(3), entries: [], commit }, /of term 4 in a message of 3/],
    [{ ...snapshot, meta: { ...meta, index: logIndex(0) } }, /no leader can have/],
    [{ ...snapshot, meta: { ...meta, term: term(6) } }, /no leader can have/],
    [
      { ...snapshot, meta: { ...meta, configuration: { ...meta.configuration, voters: [] } } },
      /no leader can have/,
    ],
  ];
  for (const [message, problem] of impossible) {
    assert.throws(() => decodeMessage(concatBytes(encodeMessage(message))), problem);
  }
  for (const message of [{ ...append, entries: [entry], commit }, snapshot]) {
    assert.deepEqual(decodeMessage(concatBytes(encodeMessage(message))), message);
  }
});
