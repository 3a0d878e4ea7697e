/** What nodes say to each other: every frame comes back as it was sent, and no bytes do harm. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { plain } from "../../../sim/cluster/client.js";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import { OK, type Reply, Slice } from "../../../src/commands/reply.js";
import { asBytes, type Bytes, concatBytes, latin1ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { groupId } from "../../../src/core/ids.js";
import { parseNote } from "../../../src/node/cluster-view.js";
import {
  decodeFrame,
  encodeNoteFrame,
  encodeRaftFrame,
  encodeReadFrame,
  encodeReadResultFrame,
  encodeWriteFrame,
  encodeWriteResultFrame,
  type PeerFrame,
  WRITE_STATUSES,
} from "../../../src/node/peer-frames.js";
import { messages as message, record } from "../codec/raft-generators.js";

const group = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(groupId);
const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => asBytes(array));
const slice = bytes.map((whole) => new Slice(whole, 0, whole.length));
const reply: fc.Arbitrary<Reply> = fc.oneof(
  fc.constantFrom<Reply>(null, OK, true, 0, -7, 2 ** 53 - 1, "text"),
  slice,
  fc.array(slice, { maxLength: 3 }),
  fc.string({ maxLength: 20 }).map((text) => new MinikeyError("NO_QUORUM", text)),
);
const replies = fc.array(reply, { maxLength: 4 });

/** A frame, and what it is to be when it arrives. */
const frames: fc.Arbitrary<{ parts: readonly Uint8Array[]; frame: PeerFrame }> = fc.oneof(
  record({ group, message }).map((body) => ({
    parts: encodeRaftFrame(body.group, body.message),
    frame: { type: "raft" as const, ...body },
  })),
  fc.record({ group, batch: bytes }).map((body) => ({
    parts: encodeWriteFrame(body.group, body.batch),
    frame: { type: "write" as const, ...body },
  })),
  fc
    .record({
      group,
      session: u48,
      sequence: fc.nat(),
      status: fc.constantFrom(...WRITE_STATUSES),
      replies,
    })
    .map((body) => ({
      parts: encodeWriteResultFrame(body.group, body.session, body.sequence, body.status, body.replies),
      frame: { type: "write-result" as const, ...body },
    })),
  fc
    .record({
      group,
      request: u48,
      guarantee: fc.constantFrom("linearizable" as const, "stale" as const),
      commands: bytes,
    })
    .map((body) => ({
      parts: encodeReadFrame(body.group, body.request, body.guarantee, body.commands),
      frame: { type: "read" as const, ...body },
    })),
  fc.record({ group, request: u48, replies: fc.option(replies, { nil: undefined }) }).map((body) => ({
    parts: encodeReadResultFrame(body.group, body.request, body.replies),
    frame: { type: "read-result" as const, ...body },
  })),
  fc.string({ unit: "grapheme", maxLength: 30 }).map((text) => ({
    parts: encodeNoteFrame(text),
    frame: { type: "note" as const, text },
  })),
);

/** Bytes as text, replies as plain values: so that what lies elsewhere in memory compares. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (value instanceof MinikeyError) return [value.code, value.outcome, value.message];
  if (value instanceof Slice) return plain(value);
  if (Array.isArray(value)) return value.map(comparable);
  if (value === null || typeof value !== "object" || value === OK) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, comparable(each)]));
}

test("every frame arrives as it was sent", () => {
  fc.assert(
    fc.property(frames, ({ parts, frame }) => {
      assert.deepEqual(comparable(decodeFrame(concatBytes(parts))), comparable(frame));
    }),
  );
});

/** What decoding `bytes` leads to; only the error for malformed bytes may be thrown. */
function tryToDecode(frame: Bytes): PeerFrame | undefined {
  try {
    return decodeFrame(frame);
  } catch (error) {
    assert(error instanceof MinikeyError, `${String(error)} for ${Buffer.from(frame).toString("hex")}`);
    return undefined;
  }
}

test("mutated frames are refused or read as something else, and never do more than that", () => {
  const change = fc.record({
    at: fc.nat(),
    byte: fc.integer({ min: 0, max: 255 }),
    kind: fc.constantFrom("set" as const, "insert" as const, "cut" as const),
  });
  fc.assert(
    fc.property(frames, fc.array(change, { minLength: 1, maxLength: 4 }), ({ parts }, changes) => {
      let frame: number[] = [...concatBytes(parts)];
      for (const { at, byte, kind } of changes) {
        const index = frame.length === 0 ? 0 : at % frame.length;
        if (kind === "cut") frame = frame.slice(0, index);
        else frame.splice(index, kind === "set" ? 1 : 0, byte);
      }
      tryToDecode(asBytes(Uint8Array.from(frame)));
    }),
    { numRuns: 2_000 },
  );
});

test("a count that no frame can hold is refused", () => {
  for (const count of [2 ** 20, 2 ** 32, 2 ** 53 - 1]) {
    const writer = new ByteWriter();
    writer.u8(3);
    writer.u32(1);
    writer.u48(1);
    writer.u32(1);
    writer.u8(0);
    writer.varint(count);
    assert.throws(() => decodeFrame(writer.toBytes()), MinikeyError);
  }
});

test("a note that is no note is refused", () => {
  const texts = ["", "{", "null", "7", '"report"', "[]", "{}", '{"kind":"of a later version"}'];
  const halves = [
    '{"kind":"report"}',
    '{"kind":"report","led":7}',
    '{"kind":"report","led":[7]}',
    '{"kind":"report","led":[[1,2,3]]}',
    '{"kind":"report","led":[["1",2,3,[]]]}',
    '{"kind":"rejoin"}',
    '{"kind":"rejoined","disk":"d","memberNumber":"1","incarnation":2}',
    '{"kind":"rejoined","memberNumber":1,"incarnation":2}',
  ];
  for (const text of [...texts, ...halves]) assert.equal(parseNote(text), undefined, text);
});

test("notes are read", () => {
  const notes = [
    { kind: "report", led: [] },
    { kind: "report", led: [[1, 2, 3, [65_537, 9]]] },
    { kind: "rejoin", disk: "d" },
    { kind: "rejoined", disk: "d", memberNumber: 1, incarnation: 2 },
  ];
  for (const note of notes) assert.deepEqual(parseNote(JSON.stringify(note)), note);
});

test("bytes at random are refused or read, and never do more than that", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (array) => void tryToDecode(asBytes(array))));
  assert.equal(tryToDecode(latin1ToBytes("")), undefined);
});
