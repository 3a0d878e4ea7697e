/** What a partition remembers of origins and clients: enough for repeats, bounded, and the same everywhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte-reader.js";
import { ByteWriter } from "../../../src/codec/byte-writer.js";
import { OK, type Reply, Slice } from "../../../src/commands/reply.js";
import type { Bytes } from "../../../src/core/bytes.js";
import { latin1ToBytes } from "../../../src/core/bytes.js";
import { Sessions } from "../../../src/node/sessions.js";

function encoded(sessions: Sessions): Bytes {
  const writer = new ByteWriter();
  sessions.encode(writer);
  return writer.toBytes();
}

function decoded(bytes: Bytes): Sessions {
  const sessions = new Sessions();
  const reader = new ByteReader(bytes, "sessions");
  sessions.decode(reader);
  reader.expectEnd();
  return sessions;
}

function bytesReply(sizeBytes: number): Reply {
  return new Slice(latin1ToBytes("x".repeat(sizeBytes)), 0, sizeBytes);
}

test("an open session outlives any number of closed ones", () => {
  const sessions = new Sessions();
  const open = sessions.openOrigin(1, 1, 0);
  open.lastSequence = 3;
  for (let id = 2; id < 20_000; id += 1) sessions.closeOrigin(id, sessions.openOrigin(id, id, 0));
  assert.equal(sessions.origin(1)?.lastSequence, 3, "its origin would never be heard again");
  assert.equal(sessions.origin(2), undefined, "closed ones are bounded");
  assert.notEqual(sessions.origin(19_999 - 4_000), undefined);
});

test("of the open sessions, those used least recently are forgotten first", () => {
  const sessions = new Sessions();
  for (let id = 1; id <= 4_096; id += 1) sessions.openOrigin(id, id, 0);
  const first = sessions.origin(1);
  assert(first !== undefined);
  sessions.useOrigin(1, first, 5_000);
  sessions.openOrigin(9_999, 5_001, 0);
  assert.notEqual(sessions.origin(1), undefined);
  assert.equal(sessions.origin(2), undefined);
});

test("replies of an origin that was silent for long are forgotten, its last number is not", () => {
  const sessions = new Sessions();
  const session = sessions.openOrigin(1, 1, 0);
  session.lastSequence = 7;
  session.replies.set(7, [OK]);
  sessions.openOrigin(2, 100_001, 0);
  assert.equal(session.replies.size, 1);
  sessions.openOrigin(3, 100_002, 0);
  assert.equal(session.replies.size, 0);
  assert.equal(sessions.origin(1)?.lastSequence, 7);
});

test("a client's repeat gets the first reply, and one too old to tell is not taken for new", () => {
  const sessions = new Sessions();
  for (let number = 1; number <= 300; number += 1) sessions.remember("client", number, number);
  assert.deepEqual(sessions.repeatOf("client", 300), { reply: 300 });
  assert.deepEqual(sessions.repeatOf("client", 45), { reply: 45 });
  assert.equal(sessions.repeatOf("client", 44), "forgotten");
  assert.equal(sessions.repeatOf("client", 301), undefined);
  assert.equal(sessions.repeatOf("another", 1), undefined);
});

test("clients' replies are bounded by bytes, those of the client used least recently go first", () => {
  const sessions = new Sessions();
  const megabyte = 1 << 20;
  for (let client = 0; client < 20; client += 1) sessions.remember(`c${client}`, 1, bytesReply(megabyte));
  assert.equal(sessions.repeatOf("c0", 1), "forgotten");
  assert.notEqual(sessions.repeatOf("c19", 1), "forgotten");
  assert(encoded(sessions).length <= 16 * megabyte);
  sessions.remember("huge", 1, bytesReply(20 * megabyte));
  assert.notEqual(sessions.repeatOf("huge", 1), "forgotten", "the newest has not been sent yet");
});

test("clients are bounded by number", () => {
  const sessions = new Sessions();
  for (let client = 0; client < 16_385; client += 1) sessions.remember(`c${client}`, 1, OK);
  assert.equal(sessions.repeatOf("c0", 1), undefined);
  assert.deepEqual(sessions.repeatOf("c1", 1), { reply: OK });
});

type Step =
  | { readonly do: "use"; readonly id: number; readonly close: boolean; readonly reply: string }
  | { readonly do: "remember"; readonly client: string; readonly number: number; readonly reply: string };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant("use" as const),
      id: fc.integer({ min: 1, max: 9 }),
      close: fc.boolean(),
      reply: fc.string({ unit: "binary-ascii", maxLength: 5 }),
    }),
    fc.record({
      do: fc.constant("remember" as const),
      client: fc.constantFrom("a", "b", "c"),
      number: fc.integer({ min: 1, max: 400 }),
      reply: fc.string({ unit: "binary-ascii", maxLength: 5 }),
    }),
  ),
  { maxLength: 80 },
);

function carryOut(sessions: Sessions, step: Step, position: number): void {
  const bytes = latin1ToBytes(step.reply);
  const reply = new Slice(bytes, 0, bytes.length);
  if (step.do === "remember") {
    if (sessions.repeatOf(step.client, step.number) === undefined) {
      sessions.remember(step.client, step.number, reply);
    }
    return;
  }
  const session = sessions.origin(step.id) ?? sessions.openOrigin(step.id, position, position);
  sessions.useOrigin(step.id, session, position);
  if (session.closed) return;
  session.lastSequence += 1;
  session.replies.set(session.lastSequence, [reply, 1, null]);
  if (step.close) sessions.closeOrigin(step.id, session);
}

test("sessions that were encoded and decoded on the way are the same in the end, byte by byte", () => {
  fc.assert(
    fc.property(steps, fc.nat(), (all, choice) => {
      const straight = new Sessions();
      let travelled = new Sessions();
      all.forEach((step, i) => {
        if (i === choice % all.length) travelled = decoded(encoded(travelled));
        carryOut(straight, step, i + 1);
        carryOut(travelled, step, i + 1);
      });
      assert.deepEqual(encoded(travelled), encoded(straight));
      assert.deepEqual(encoded(decoded(encoded(straight))), encoded(straight));
    }),
  );
});

test("the latest opening time of what was forgotten is remembered, of origins and of clients, also when restored", () => {
  const before = new Sessions();
  for (let id = 1; id <= 4_096; id += 1) before.openOrigin(id, id, 1_000 + id);
  assert.equal(before.originsForgotten, -1);
  for (let i = 0; i < 16_384; i += 1) before.remember(`${5_000 + i}_x`, 1, OK);
  assert.equal(before.forgottenWith("0_new"), undefined, "nobody was forgotten");
  const sessions = decoded(encoded(before));
  sessions.openOrigin(5_000, 5_000, 9_000);
  assert.equal(sessions.originsForgotten, 1_001);
  sessions.remember("90000_x", 1, OK);
  assert.equal(sessions.repeatOf("5000_x", 1), undefined);
  const restored = decoded(encoded(sessions));
  assert.equal(restored.originsForgotten, 1_001);
  for (const each of [sessions, restored]) {
    assert.equal(each.forgottenWith("5000_x"), 5_000, "a repeat would be applied twice");
    assert.equal(each.forgottenWith("4999_never_seen"), 5_000);
    assert.equal(each.forgottenWith("a name without a time"), 5_000);
    assert.equal(each.forgottenWith("5001_x"), undefined, "it is known");
    assert.equal(each.forgottenWith("5001_other"), undefined, "it is later than all that were forgotten");
  }
});
