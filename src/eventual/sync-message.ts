/**
 * What two replicas of an eventual keyspace's partition say to each other (docs/adr/0014): the body of the frame
 * `sync` between nodes.
 *
 * ```
 *   ┌───────────┬─────────┬─────────┬──────────────────────────────────────────────────────────────────┐
 *   │ from u32  │ to u32  │ type u8 │ body                                                             │
 *   └───────────┴─────────┴─────────┴──────────────────────────────────────────────────────────────────┘
 *   1 records  batch (batch.ts): writes of the sender, a range of its numbers
 *   2 vector   standing
 *   3 begin    session u48 (the sender's), standing, 32 nodes of 8 bytes
 *   4 ready    session u48, own u48, standing, differing u32, 32 leaves of 8 bytes for each bit of it
 *   5 page     session u48, page u32, count varint, segments
 *   6 answer   session u48, page u32, done varint, through key, count varint, wanted keys, batch
 *   7 give     session u48, give u32, batch
 *   8 took     session u48, give u32
 *   9 finish   session u48, gives u32
 *  10 end      session u48, reason u8
 *
 *   standing   flags u8 (1 complete, 2 an answer is wanted, 4 resend), members u32, floor f64, given u48, vector
 *   segment    leaf u16, after key, through key, count varint, entries: key, fingerprint 8 bytes
 *   key        length varint, bytes
 * ```
 *
 * From `ready` on, `session` is the number that the one who is spoken to has given the session: what comes from an
 * earlier session is known by it. Both ids name a disk (ADR 0006): what was meant for another is not for this one.
 */
import type { ByteReader } from "../codec/byte-reader.js";
import { ByteWriter } from "../codec/byte-writer.js";
import { unreachable } from "../core/assert.js";
import { type Bytes, KEY_BYTES_MAX, type Key } from "../core/bytes.js";
import { isStamp, type Stamp, WALL_STAMP_MAX } from "../core/hybrid-clock.js";
import { type ReplicaId, replicaId } from "../core/ids.js";
import { FINGERPRINT_BYTES, LEAVES, LEAVES_PER_NODE, NODES } from "./fingerprints.js";
import { VersionVector } from "./version-vector.js";

/** How a replica stands, as it says itself. */
export interface Standing {
  /** What it has, durably. */
  readonly vector: VersionVector;
  /** May answer: an empty disk has been filled. */
  readonly isComplete: boolean;
  /** Names the replicas that it knows the partition to have (`membersMark`). */
  readonly members: number;
  /** The latest stamp of what it has dropped: nothing is to be written with an earlier one. */
  readonly floor: Stamp;
  /** The number that its own writes have come to, those included that are not on its disk yet. */
  readonly given: number;
}

/** A stretch of one leaf's keys, in their order, as the sender has them: all after `after`, up to `through`. */
export interface Segment {
  readonly leaf: number;
  /** `""`: from the first on. */
  readonly after: Key;
  /** The last one; `""`: up to the leaf's end. */
  readonly through: Key;
  readonly keys: readonly Key[];
  /** 8 bytes for each of `keys`. */
  readonly fingerprints: Bytes;
}

/** `busy`: not now. `unknown`: no such session. `failed`: something was lost, or could not be. `done`: all is told. */
export const END_REASONS = ["busy", "unknown", "failed", "done"] as const;
export type EndReason = (typeof END_REASONS)[number];

export type SyncMessage =
  | { readonly type: "records"; readonly batch: Bytes }
  | {
      readonly type: "vector";
      readonly standing: Standing;
      readonly wantsAnswer: boolean;
      /** Something before what arrived is missing: send again from the vector on. */
      readonly resend: boolean;
    }
  | {
      readonly type: "begin";
      readonly session: number;
      readonly standing: Standing;
      readonly nodes: Bytes;
    }
  | {
      readonly type: "ready";
      readonly session: number;
      readonly own: number;
      readonly standing: Standing;
      /** A bit for each node that differs. */
      readonly differing: number;
      /** The leaves of those nodes, in their order. */
      readonly leaves: Bytes;
    }
  | {
      readonly type: "page";
      readonly session: number;
      readonly page: number;
      readonly segments: readonly Segment[];
    }
  | {
      readonly type: "answer";
      readonly session: number;
      readonly page: number;
      /** Of the page's segments, so many were gone through. */
      readonly done: number;
      /** The next one, up to here; `""`: not begun. */
      readonly through: Key;
      readonly wanted: readonly Key[];
      readonly batch: Bytes;
    }
  | { readonly type: "give"; readonly session: number; readonly give: number; readonly batch: Bytes }
  | { readonly type: "took"; readonly session: number; readonly give: number }
  | { readonly type: "finish"; readonly session: number; readonly gives: number }
  | { readonly type: "end"; readonly session: number; readonly reason: EndReason };

export interface SyncFrame {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly message: SyncMessage;
}

const TYPES = [
  "records",
  "vector",
  "begin",
  "ready",
  "page",
  "answer",
  "give",
  "took",
  "finish",
  "end",
] as const satisfies readonly SyncMessage["type"][];

const COMPLETE = 1;
const WANTS_ANSWER = 2;
const RESEND = 4;

/** A frame's parts; batches are among them as they are, not copied. */
export function encodeSync(from: ReplicaId, to: ReplicaId, message: SyncMessage): readonly Uint8Array[] {
  const writer = new ByteWriter(64);
  writer.u32(from);
  writer.u32(to);
  writer.u8(TYPES.indexOf(message.type) + 1);
  const batch = writeBody(writer, message);
  return batch === undefined ? [writer.toBytes()] : [writer.toBytes(), batch];
}

/** Returns the batch that follows. */
function writeBody(writer: ByteWriter, message: SyncMessage): Bytes | undefined {
  if (message.type === "records") return message.batch;
  if (message.type === "vector") {
    const { wantsAnswer, resend } = message;
    writeStanding(writer, message.standing, (wantsAnswer ? WANTS_ANSWER : 0) | (resend ? RESEND : 0));
    return undefined;
  }
  writer.u48(message.session);
  switch (message.type) {
    case "begin":
      writeStanding(writer, message.standing, 0);
      writer.raw(message.nodes);
      return undefined;
    case "ready":
      writer.u48(message.own);
      writeStanding(writer, message.standing, 0);
      writer.u32(message.differing);
      writer.raw(message.leaves);
      return undefined;
    case "page":
      writer.u32(message.page);
      writer.varint(message.segments.length);
      for (const segment of message.segments) writeSegment(writer, segment);
      return undefined;
    case "answer":
      writer.u32(message.page);
      writer.varint(message.done);
      writer.latin1(message.through);
      writer.varint(message.wanted.length);
      for (const key of message.wanted) writer.latin1(key);
      return message.batch;
    case "give":
      writer.u32(message.give);
      return message.batch;
    case "took":
      writer.u32(message.give);
      return undefined;
    case "finish":
      writer.u32(message.gives);
      return undefined;
    case "end":
      writer.u8(END_REASONS.indexOf(message.reason));
      return undefined;
    default:
      return unreachable(message, "message");
  }
}

/** Throws `MinikeyError` `PROTOCOL` for what no replica would send. The parts refer to the reader's bytes. */
export function decodeSync(reader: ByteReader): SyncFrame {
  const from = replicaId(reader.u32());
  const to = replicaId(reader.u32());
  const type = TYPES.at(reader.u8() - 1);
  if (type === undefined) throw reader.error("an unknown message");
  const message = readBody(reader, type);
  reader.expectEnd();
  return { from, to, message };
}

function readBody(reader: ByteReader, type: SyncMessage["type"]): SyncMessage {
  if (type === "records") return { type, batch: rest(reader) };
  if (type === "vector") {
    const [standing, flags] = readStanding(reader);
    return { type, standing, wantsAnswer: (flags & WANTS_ANSWER) !== 0, resend: (flags & RESEND) !== 0 };
  }
  const session = reader.u48();
  switch (type) {
    case "begin": {
      const [standing] = readStanding(reader);
      return { type, session, standing, nodes: reader.raw(NODES * FINGERPRINT_BYTES) };
    }
    case "ready": {
      const own = reader.u48();
      const [standing] = readStanding(reader);
      const differing = reader.u32();
      const leaves = reader.raw(countBits(differing) * LEAVES_PER_NODE * FINGERPRINT_BYTES);
      return { type, session, own, standing, differing, leaves };
    }
    case "page":
      return { type, session, page: reader.u32(), segments: reader.list(readSegment) };
    case "answer": {
      const page = reader.u32();
      const done = reader.varint();
      const through = readKey(reader);
      return { type, session, page, done, through, wanted: reader.list(readKey), batch: rest(reader) };
    }
    case "give":
      return { type, session, give: reader.u32(), batch: rest(reader) };
    case "took":
      return { type, session, give: reader.u32() };
    case "finish":
      return { type, session, gives: reader.u32() };
    case "end": {
      const reason = END_REASONS.at(reader.u8());
      if (reason === undefined) throw reader.error("an unknown reason");
      return { type, session, reason };
    }
    default:
      return unreachable(type, "message");
  }
}

function writeStanding(writer: ByteWriter, standing: Standing, flags: number): void {
  writer.u8(flags | (standing.isComplete ? COMPLETE : 0));
  writer.u32(standing.members);
  writer.f64(standing.floor);
  writer.u48(standing.given);
  standing.vector.encode(writer);
}

function readStanding(reader: ByteReader): [Standing, number] {
  const flags = reader.u8();
  const members = reader.u32();
  const floor = reader.f64();
  if (!isStamp(floor) || floor > WALL_STAMP_MAX) throw reader.error("a stamp that cannot be");
  const given = reader.u48();
  const vector = VersionVector.decode(reader);
  return [{ vector, isComplete: (flags & COMPLETE) !== 0, members, floor, given }, flags];
}

function writeSegment(writer: ByteWriter, segment: Segment): void {
  writer.u8(segment.leaf & 0xff);
  writer.u8(segment.leaf >>> 8);
  writer.latin1(segment.after);
  writer.latin1(segment.through);
  writer.varint(segment.keys.length);
  for (let i = 0; i < segment.keys.length; i += 1) {
    writer.latin1(segment.keys[i]);
    writer.raw(segment.fingerprints, i * FINGERPRINT_BYTES, (i + 1) * FINGERPRINT_BYTES);
  }
}

function readSegment(reader: ByteReader): Segment {
  const leaf = reader.u8() + reader.u8() * 0x100;
  if (leaf >= LEAVES) throw reader.error(`leaf ${leaf}`);
  const after = readKey(reader);
  const through = readKey(reader);
  const count = reader.varint();
  if (count > reader.remaining) throw reader.error(`${count} keys announced`);
  const keys: Key[] = [];
  const fingerprints = new ByteWriter(count * FINGERPRINT_BYTES);
  let last = after;
  while (keys.length < count) {
    const key = readKey(reader);
    if (key <= last || (through !== "" && key > through)) throw reader.error("a key out of order");
    keys.push(key);
    fingerprints.raw(reader.raw(FINGERPRINT_BYTES));
    last = key;
  }
  return { leaf, after, through, keys, fingerprints: fingerprints.bytes };
}

function readKey(reader: ByteReader): Key {
  const key = reader.latin1();
  if (key.length > KEY_BYTES_MAX) throw reader.error(`a key of ${key.length} bytes`);
  return key;
}

function rest(reader: ByteReader): Bytes {
  return reader.raw(reader.remaining);
}

export function countBits(mask: number): number {
  let count = 0;
  for (let bits = mask; bits !== 0; bits &= bits - 1) count += 1;
  return count;
}
