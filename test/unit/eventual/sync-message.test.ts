import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte-reader.js";
import { asBytes, type Bytes, concatBytes, latin1ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import type { Stamp } from "../../../src/core/hybrid-clock.js";
import { replicaId } from "../../../src/core/ids.js";
import {
  countBits,
  decodeSync,
  END_REASONS,
  encodeSync,
  type Standing,
  type SyncMessage,
} from "../../../src/eventual/sync-message.js";
import { VersionVector } from "../../../src/eventual/version-vector.js";

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const session = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const key = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => asBytes(bytes).latin1Slice());
const bytesOf = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => asBytes(bytes));
const batch = fc.uint8Array({ maxLength: 50 }).map((bytes) => asBytes(bytes));

const vector = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.integer({ min: 1, max: 2 ** 48 - 1 })), {
    maxLength: 5,
  })
  .map((pairs) => {
    const made = new VersionVector();
    for (const [origin, number] of pairs) made.advance(replicaId(origin), number);
    return made;
  });

const standing: fc.Arbitrary<Standing> = fc.record({
  vector,
  isComplete: fc.boolean(),
  members: u32,
  floor: fc.integer({ min: 0, max: 2 ** 52 }).map((stamp) => stamp as Stamp),
  given: fc.nat(),
});

const segment = fc
  .tuple(fc.integer({ min: 0, max: 1023 }), fc.uniqueArray(key, { maxLength: 8 }), fc.boolean())
  .chain(([leaf, keys, isWhole]) => {
    const [after = "", ...inside] = keys.sort();
    const through = isWhole ? "" : (inside.at(-1) ?? "");
    return bytesOf(8 * inside.length).map((fingerprints) => ({
      leaf,
      after,
      through,
      keys: inside,
      fingerprints,
    }));
  });

const message: fc.Arbitrary<SyncMessage> = fc.oneof(
  fc.record({ type: fc.constant("records" as const), batch }),
  fc.record({
    type: fc.constant("vector" as const),
    standing,
    wantsAnswer: fc.boolean(),
    resend: fc.boolean(),
  }),
  fc.record({ type: fc.constant("begin" as const), session, standing, nodes: bytesOf(256) }),
  u32.chain((differing) =>
    fc.record({
      type: fc.constant("ready" as const),
      session,
      own: session,
      standing,
      differing: fc.constant(differing),
      leaves: bytesOf(256 * countBits(differing)),
    }),
  ),
  fc.record({
    type: fc.constant("page" as const),
    session,
    page: u32,
    segments: fc.array(segment, { maxLength: 4 }),
  }),
  fc.record({
    type: fc.constant("answer" as const),
    session,
    page: u32,
    done: fc.integer({ min: 0, max: 1000 }),
    through: fc.oneof(key, fc.constant("")),
    wanted: fc.array(key, { maxLength: 5 }),
    batch,
  }),
  fc.record({ type: fc.constant("give" as const), session, give: u32, batch }),
  fc.record({ type: fc.constant("took" as const), session, give: u32 }),
  fc.record({ type: fc.constant("finish" as const), session, gives: u32 }),
  fc.record({ type: fc.constant("end" as const), session, reason: fc.constantFrom(...END_REASONS) }),
);

const FROM = replicaId(65_537);
const TO = replicaId(131_075);

function decode(bytes: Bytes): ReturnType<typeof decodeSync> {
  return decodeSync(new ByteReader(bytes, "sync"));
}

/** What can be compared: vectors as pairs. */
function plain(value: unknown): unknown {
  if (value instanceof VersionVector) return value.origins.map((origin) => [origin, value.get(origin)]);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
  }
  return value;
}

test("every message is read as it was written", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const frame = decode(concatBytes(encodeSync(FROM, TO, sent)));
      assert.equal(frame.from, FROM);
      assert.equal(frame.to, TO);
      assert.deepEqual(plain(frame.message), plain(sent));
    }),
  );
});

test("bytes that are no message are a mistake of whoever sent them, whatever they are", () => {
  const isRefused = (bytes: Bytes) => {
    try {
      decode(bytes);
    } catch (error) {
      assert.ok(error instanceof MinikeyError && error.code === "PROTOCOL", String(error));
    }
  };
  fc.assert(
    fc.property(message, fc.nat(), fc.nat({ max: 255 }), fc.nat(), (sent, at, byte, cut) => {
      const bytes = concatBytes(encodeSync(FROM, TO, sent));
      isRefused(bytes.subarray(0, cut % bytes.length));
      bytes[at % bytes.length] = byte;
      isRefused(bytes);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => isRefused(asBytes(bytes))));
});

test("keys of a segment that are out of order, or outside of it, are refused", () => {
  const page = (after: string, through: string, keys: readonly string[]): Bytes => {
    const fingerprints = latin1ToBytes("f".repeat(8 * keys.length));
    const segments = [{ leaf: 1, after, through, keys, fingerprints }];
    return concatBytes(encodeSync(FROM, TO, { type: "page", session: 1, page: 1, segments }));
  };
  decode(page("a", "d", ["b", "d"]));
  for (const bad of [page("a", "d", ["c", "b"]), page("b", "d", ["b"]), page("a", "c", ["b", "d"])]) {
    assert.throws(() => decode(bad), { code: "PROTOCOL" });
  }
});
