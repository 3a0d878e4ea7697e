/**
 * What nodes say to each other: one frame a message.
 *
 * ```
 *   ┌─────────┬───────────┬──────────────────────────────────────────────────────────────────────┐
 *   │ type u8 │ group u32 │ body                                                                 │
 *   └─────────┴───────────┴──────────────────────────────────────────────────────────────────────┘
 *   1 raft          a Raft message (codec/raft-message.ts)
 *   2 write         a batch (batch.ts), for the partition's leader
 *   3 write result  session u48, sequence u32, status u8, count varint, replies
 *   4 read          request u48, guarantee u8, commands (commands/encoding.ts)
 *   5 read result   request u48, done u8, count varint, replies
 *   6 note          JSON in UTF-8: everything rare (group 0)
 *   7 sync          between the replicas of an eventual partition (eventual/sync-message.ts)
 *   8 request       commands of eventual keyspaces (node/eventual/frames.ts)
 * ```
 */
import { ByteReader } from "../codec/byte-reader.js";
import { ByteWriter } from "../codec/byte-writer.js";
import { decodeMessage, encodeMessage } from "../codec/raft-message.js";
import type { Message } from "../codec/raft-types.js";
import type { Reply } from "../commands/reply.js";
import { decodeReplyFrom, encodeReply } from "../commands/reply-encoding.js";
import { assert } from "../core/assert.js";
import { allocOwnBytes, type Bytes } from "../core/bytes.js";
import { type GroupId, groupId } from "../core/ids.js";
import type { AppliedBatch } from "./partition-machine.js";
import type { ReadGuarantee } from "./partition-reader.js";

const RAFT = 1;
const WRITE = 2;
const WRITE_RESULT = 3;
const READ = 4;
const READ_RESULT = 5;
const NOTE = 6;
const SYNC = 7;
const REQUEST = 8;
const HEADER_BYTES = 5;

/**
 * `not-leader` and `overloaded`: the batch was not proposed. The others as `AppliedBatch` says. A status is sent as
 * its position here.
 */
export const WRITE_STATUSES = [
  "applied",
  "blocked",
  "refused",
  "acknowledged",
  "not-leader",
  "overloaded",
  "forgotten",
] as const satisfies readonly (AppliedBatch["status"] | "not-leader" | "overloaded")[];
export type WriteStatus = (typeof WRITE_STATUSES)[number];

export type PeerFrame =
  | { readonly type: "raft"; readonly group: GroupId; readonly message: Message }
  | { readonly type: "write"; readonly group: GroupId; readonly batch: Bytes }
  | {
      readonly type: "write-result";
      readonly group: GroupId;
      readonly session: number;
      readonly sequence: number;
      readonly status: WriteStatus;
      readonly replies: readonly Reply[];
    }
  | {
      readonly type: "read";
      readonly group: GroupId;
      readonly request: number;
      readonly guarantee: ReadGuarantee;
      readonly commands: Bytes;
    }
  | {
      readonly type: "read-result";
      readonly group: GroupId;
      readonly request: number;
      /** Undefined: the node could not carry them out. */
      readonly replies: readonly Reply[] | undefined;
    }
  | { readonly type: "note"; readonly text: string }
  /** What is in the body is read by those whom it is for. */
  | { readonly type: "sync"; readonly group: GroupId; readonly body: Bytes }
  | { readonly type: "request"; readonly group: GroupId; readonly body: Bytes };

export function encodeRaftFrame(group: GroupId, message: Message): readonly Uint8Array[] {
  return [header(RAFT, group), ...encodeMessage(message)];
}

export function encodeWriteFrame(group: GroupId, batch: Bytes): readonly Uint8Array[] {
  return [header(WRITE, group), batch];
}

export function encodeWriteResultFrame(
  group: GroupId,
  session: number,
  sequence: number,
  status: WriteStatus,
  replies: readonly Reply[],
): readonly Uint8Array[] {
  const writer = begin(WRITE_RESULT, group);
  writer.u48(session);
  writer.u32(sequence);
  writer.u8(WRITE_STATUSES.indexOf(status));
  writeReplies(replies, writer);
  return [writer.toBytes()];
}

export function encodeReadFrame(
  group: GroupId,
  request: number,
  guarantee: ReadGuarantee,
  commands: Bytes,
): readonly Uint8Array[] {
  const writer = begin(READ, group);
  writer.u48(request);
  writer.u8(guarantee === "stale" ? 1 : 0);
  return [writer.toBytes(), commands];
}

export function encodeReadResultFrame(
  group: GroupId,
  request: number,
  replies: readonly Reply[] | undefined,
): readonly Uint8Array[] {
  const writer = begin(READ_RESULT, group);
  writer.u48(request);
  writer.u8(replies === undefined ? 0 : 1);
  writeReplies(replies ?? [], writer);
  return [writer.toBytes()];
}

export function encodeNoteFrame(text: string): readonly Uint8Array[] {
  const writer = begin(NOTE, groupId(0));
  writer.utf8(text);
  return [writer.toBytes()];
}

/** `body` may be in several parts. */
export function encodeEventualFrame(
  type: "sync" | "request",
  group: GroupId,
  ...body: readonly Uint8Array[]
): readonly Uint8Array[] {
  return [header(type === "sync" ? SYNC : REQUEST, group), ...body];
}

/** Throws `MinikeyError` `PROTOCOL` for a malformed frame. The parts refer to `frame`. */
export function decodeFrame(frame: Bytes): PeerFrame {
  const reader = new ByteReader(frame, "frame of a peer");
  const type = reader.u8();
  const group = groupId(reader.u32());
  switch (type) {
    case RAFT:
      return { type: "raft", group, message: decodeMessage(frame, HEADER_BYTES, frame.length) };
    case WRITE:
      return { type: "write", group, batch: frame.subarray(HEADER_BYTES) };
    case WRITE_RESULT: {
      const session = reader.u48();
      const sequence = reader.u32();
      const status = WRITE_STATUSES.at(reader.u8());
      if (status === undefined) throw reader.error("an unknown status");
      return { type: "write-result", group, session, sequence, status, replies: readReplies(reader) };
    }
    case READ: {
      const request = reader.u48();
      const guarantee = reader.u8() === 1 ? "stale" : "linearizable";
      return { type: "read", group, request, guarantee, commands: frame.subarray(reader.position) };
    }
    case READ_RESULT: {
      const request = reader.u48();
      const isDone = reader.u8() === 1;
      const replies = readReplies(reader);
      return { type: "read-result", group, request, replies: isDone ? replies : undefined };
    }
    case NOTE:
      return { type: "note", text: reader.utf8() };
    case SYNC:
      return { type: "sync", group, body: frame.subarray(HEADER_BYTES) };
    case REQUEST:
      return { type: "request", group, body: frame.subarray(HEADER_BYTES) };
    default:
      throw reader.error(`unknown type ${type}`, 0);
  }
}

function header(type: number, group: GroupId): Bytes {
  const bytes = allocOwnBytes(HEADER_BYTES);
  bytes[0] = type;
  bytes.writeUInt32LE(group, 1);
  return bytes;
}

function begin(type: number, group: GroupId): ByteWriter {
  const writer = new ByteWriter(64);
  writer.u8(type);
  writer.u32(group);
  assert(writer.length === HEADER_BYTES, "a frame's header has a fixed size");
  return writer;
}

function writeReplies(replies: readonly Reply[], writer: ByteWriter): void {
  writer.varint(replies.length);
  for (const reply of replies) encodeReply(writer, reply);
}

function readReplies(reader: ByteReader): Reply[] {
  const count = reader.varint();
  if (count > reader.remaining) throw reader.error(`${count} replies announced`);
  const replies: Reply[] = [];
  while (replies.length < count) replies.push(decodeReplyFrom(reader));
  return replies;
}
