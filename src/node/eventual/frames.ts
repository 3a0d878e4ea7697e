/**
 * What nodes ask of each other's replicas for commands of eventual keyspaces: bodies of frames of type 8, which name
 * the partition (peer-frames.ts).
 *
 * ```
 *   ┌─────────┬───────────────────────────────────────────────────────────────────────────┐
 *   │ kind u8 │                                                                           │
 *   └─────────┴───────────────────────────────────────────────────────────────────────────┘
 *   1 run       request u48, level u8, left u32 (ms), a command (commands/encoding.ts)
 *   2 ran       request u48, outcome u8, the reply when it is 0
 *   3 fetch     request u48, keys (blobs) to the end
 *   4 fetched   request u48, outcome u8, when it is 0 for each key its record as a blob, empty for none
 *   5 repair    records (eventual/batch.ts) that the replica was seen not to have
 * ```
 * `left`: what the asker still waits. Outcomes: 0 done; 1 there is no complete replica here, and nothing was done;
 * 2 the node has too much to do, and nothing was done.
 */
import { ByteReader } from "../../codec/byte-reader.js";
import { ByteWriter } from "../../codec/byte-writer.js";
import { decodeCommandFrom, encodeCommand } from "../../commands/encoding.js";
import type { Reply } from "../../commands/reply.js";
import { encodeReply } from "../../commands/reply-encoding.js";
import { Args } from "../../commands/types.js";
import { type Bytes, copyBytes, EMPTY_BYTES, type Key } from "../../core/bytes.js";
import type { EventualLevel } from "./levels.js";

export const RUN = 1;
export const RAN = 2;
export const FETCH = 3;
export const FETCHED = 4;
export const REPAIR = 5;

export const DONE = 0;
export const NOT_HERE = 1;
export const BUSY = 2;
/** Why a node did not do what it was asked. */
export type Refused = typeof NOT_HERE | typeof BUSY;

const LEVELS: readonly EventualLevel[] = ["one", "quorum", "all"];
const REQUEST_AT = 1;
const LEFT_AT = 8;
/** More than any time-out. */
const LEFT_MAX_MS = 0xffff_ffff;

/** To be sent with a number and a time: `numberRun`. */
export function encodeRun(level: EventualLevel, opcode: number, args: Args): Bytes {
  const writer = new ByteWriter(32 + args.bytesUsed + 4 * args.count);
  writer.u8(RUN);
  writer.u48(0);
  writer.u8(LEVELS.indexOf(level));
  writer.u32(0);
  encodeCommand(writer, opcode, args);
  return writer.toBytes();
}

/** The same command as another request: in memory of its own, as what was sent before may not have left yet. */
export function numberRun(run: Bytes, request: number, leftMs: number): Bytes {
  const body = copyBytes(run, 0, run.length);
  body.writeUIntLE(request, REQUEST_AT, 6);
  body.writeUInt32LE(Math.max(0, Math.min(Math.floor(leftMs), LEFT_MAX_MS)), LEFT_AT);
  return body;
}

/** `outcome` when there is no reply. */
export function encodeRan(request: number, reply: Reply, outcome: typeof DONE | Refused): Bytes {
  const writer = answerTo(RAN, request, outcome);
  if (outcome === DONE) encodeReply(writer, reply);
  return writer.toBytes();
}

export function encodeFetch(request: number, keys: readonly Key[]): Bytes {
  const writer = new ByteWriter(64);
  writer.u8(FETCH);
  writer.u48(request);
  for (const key of keys) writer.latin1(key);
  return writer.toBytes();
}

/** Records are to be added with `blob`, unless it is refused. */
export function answerTo(kind: number, request: number, outcome: typeof DONE | Refused): ByteWriter {
  const writer = new ByteWriter(256);
  writer.u8(kind);
  writer.u48(request);
  writer.u8(outcome);
  return writer;
}

export function encodeRepair(batch: Bytes): Bytes {
  const writer = new ByteWriter(1 + batch.length);
  writer.u8(REPAIR);
  writer.raw(batch);
  return writer.toBytes();
}

/** Stands behind the kind, which it gives. Throws `PROTOCOL`, as does whatever reads on. */
export function readKind(body: Bytes): { readonly kind: number; readonly reader: ByteReader } {
  const reader = new ByteReader(body, "request of a peer");
  return { kind: reader.u8(), reader };
}

/** What `encodeRun` made, behind its kind; the arguments lie in the same bytes. */
export function readRun(reader: ByteReader): {
  readonly request: number;
  readonly level: EventualLevel;
  readonly leftMs: number;
  readonly opcode: number;
  readonly args: Args;
} {
  const request = reader.u48();
  const level = readLevel(reader);
  const leftMs = reader.u32();
  const args = new Args(EMPTY_BYTES);
  const opcode = decodeCommandFrom(reader, args);
  reader.expectEnd();
  return { request, level, leftMs, opcode, args };
}

function readLevel(reader: ByteReader): EventualLevel {
  const level = LEVELS.at(reader.u8());
  if (level === undefined) throw reader.error("an unknown level");
  return level;
}

export function readOutcome(reader: ByteReader): typeof DONE | Refused {
  const outcome = reader.u8();
  if (outcome !== DONE && outcome !== NOT_HERE && outcome !== BUSY) throw reader.error("an unknown outcome");
  return outcome;
}

/** Keys to the end, at least one and at most `max` bytes each. */
export function readKeys(reader: ByteReader, maxBytes: number): Key[] {
  const keys: Key[] = [];
  while (reader.remaining > 0) {
    const key = reader.latin1();
    if (key.length === 0 || key.length > maxBytes) throw reader.error(`a key of ${key.length} bytes`);
    keys.push(key);
  }
  return keys;
}
