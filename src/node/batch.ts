/**
 * Writes travel in batches: all that one node has for one partition in one turn of the event loop is one
 * entry of that partition's Raft log. The node that received the commands (the origin) numbers its batches of
 * a session one by one; the state machine applies each number once and in order, whatever is sent again
 * (dissertation §6.3, with a node as the client).
 *
 * ```
 *  0        1        2        8            14           18          22
 *  ┌────────┬────────┬────────┬────────────┬────────────┬───────────┬──────────────────┐
 *  │ format │ level  │ time   │ session    │ sequence   │ acked     │ commands …       │
 *  │ u8 = 1 │ u8     │ u48 ms │ u48        │ u32        │ u32       │ to the end       │
 *  └────────┴────────┴────────┴────────────┴────────────┴───────────┴──────────────────┘
 * ```
 * `time` is set by the leader that proposes the batch, never by the origin. `acked`: the origin has the replies
 * of all batches up to this number, so nobody need remember them. Number 1 has none before it and tells instead
 * when the session was opened, in seconds by the origin's clock: a partition opens none that it may have forgotten
 * (sessions.ts). Integers are little-endian.
 */
import { ByteReader } from "../codec/byte-reader.js";
import { allocOwnBytes, type Bytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";

export const BATCH_HEADER_BYTES = 22;
const FORMAT = 1;

/** `majority`: answered once committed. `all`: answered once every replica has it on disk. */
export type BatchLevel = "majority" | "all";

export interface BatchHeader {
  readonly level: BatchLevel;
  readonly timeMs: number;
  readonly session: number;
  readonly sequence: number;
  readonly acked: number;
}

/** A batch of `commands[start, end)`, in memory of its own, without a number yet. */
export function makeBatch(level: BatchLevel, commands: Bytes, start: number, end: number): Bytes {
  const batch = allocOwnBytes(BATCH_HEADER_BYTES + end - start);
  batch[0] = FORMAT;
  batch[1] = level === "all" ? 1 : 0;
  batch.fill(0, 2, BATCH_HEADER_BYTES);
  commands.copy(batch, BATCH_HEADER_BYTES, start, end);
  return batch;
}

/** Set by the origin, before it first sends the batch. */
export function tagBatch(batch: Bytes, session: number, sequence: number, acked: number): void {
  batch.writeUIntLE(session, 8, 6);
  batch.writeUInt32LE(sequence, 14);
  batch.writeUInt32LE(acked, 18);
}

/** Set by the leader, just before it proposes. */
export function stampBatch(batch: Bytes, timeMs: number): void {
  batch.writeUIntLE(timeMs, 2, 6);
}

export function readBatchHeader(batch: Bytes): BatchHeader {
  if (batch.length < BATCH_HEADER_BYTES || batch[0] !== FORMAT) {
    throw new MinikeyError(
      "PROTOCOL",
      `malformed batch: ${batch.length} bytes, format ${batch.length === 0 ? "none" : batch[0]}`,
    );
  }
  return {
    level: batch[1] === 1 ? "all" : "majority",
    timeMs: batch.readUIntLE(2, 6),
    session: batch.readUIntLE(8, 6),
    sequence: batch.readUInt32LE(14),
    acked: batch.readUInt32LE(18),
  };
}

/** The number of the batch's first command; undefined for a batch without any. */
export function firstOpcode(batch: Bytes): number | undefined {
  const reader = new ByteReader(batch, "batch", "PROTOCOL", BATCH_HEADER_BYTES);
  return reader.remaining === 0 ? undefined : reader.varint();
}
