/**
 * Messages between replicas, in bytes. Numbers are little-endian and unsigned; 48 bits hold every term, index,
 * replica id, round and offset exactly. Entry and snapshot data are never copied: a message is a header
 * followed by its data, uncopied, and a decoded message refers to the bytes it came from.
 *
 *   ┌─────────┬──────────┬────────┬──────────┬──────────────────────────────────────────────────────────────┐
 *   │ type u8 │ from u48 │ to u48 │ term u48 │ body                                                         │
 *   └─────────┴──────────┴────────┴──────────┴──────────────────────────────────────────────────────────────┘
 *   1 append               prevIndex u48, prevTerm u48, commit u48, entries (raft-entry.ts)
 *   2 append-response      index u48, reject u8, hintIndex u48, hintTerm u48
 *   3 heartbeat            commit u48, readRound u48
 *   4 heartbeat-response   readRound u48
 *   5 vote                 flags u8 (1 pre, 2 transfer), lastIndex u48, lastTerm u48
 *   6 vote-response        flags u8 (1 pre, 2 reject)
 *   7 snapshot             offset u48, done u8, snapshot meta (raft-entry.ts), size u32, data
 *   8 snapshot-response    index u48, offset u48, reject u8
 *   9 read-index           context u48
 *  10 read-index-response  context u48, index u48
 *  11 timeout-now          nothing
 */
import { unreachable } from "../core/assert.js";
import { type Bytes, EMPTY_BYTES } from "../core/bytes.js";
import { logIndex, replicaId, term } from "../core/ids.js";
import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import {
  entriesHeaderLength,
  pushEntriesData,
  readEntries,
  readSnapshotMeta,
  snapshotMetaLength,
  writeEntriesHeader,
  writeSnapshotMeta,
} from "./raft-entry.js";
import type { Message } from "./raft-types.js";

const APPEND = 1;
const APPEND_RESPONSE = 2;
const HEARTBEAT = 3;
const HEARTBEAT_RESPONSE = 4;
const VOTE = 5;
const VOTE_RESPONSE = 6;
const SNAPSHOT = 7;
const SNAPSHOT_RESPONSE = 8;
const READ_INDEX = 9;
const READ_INDEX_RESPONSE = 10;
const TIMEOUT_NOW = 11;

const U48 = 6;
const ENVELOPE_BYTES = 1 + 3 * U48;
const APPEND_FIXED_BYTES = 3 * U48;
const SNAPSHOT_FIXED_BYTES = U48 + 1 + 4;

/** Terms count elections. One near the end of 48 bits would leave no room for the next, for good. */
const TERM_MAX = 2 ** 47;

const FLAG_PRE = 1;
const FLAG_SECOND = 2;

/** Bytes of everything but entry and snapshot data. */
export function messageHeaderLength(message: Message): number {
  return ENVELOPE_BYTES + bodyLength(message);
}

/** Writes the header; what `pushMessageData` pushes must follow it. */
function writeMessageHeader(message: Message, writer: ByteWriter): void {
  writer.u8(codeOfType(message.type));
  writer.u48(message.from);
  writer.u48(message.to);
  writer.u48(message.term);
  writeBody(message, writer);
}

/** Appends the message's entry or snapshot data to `parts`, uncopied. */
function pushMessageData(message: Message, parts: Uint8Array[]): void {
  if (message.type === "append") pushEntriesData(message.entries, parts);
  else if (message.type === "snapshot" && message.data.length > 0) parts.push(message.data);
}

/**
 * The message as parts, to be sent one after the other: its header, then its data. The first part begins with
 * `headroomBytes` for the caller's own header.
 */
export function encodeMessage(message: Message, headroomBytes = 0): Bytes[] {
  const writer = new ByteWriter(headroomBytes + messageHeaderLength(message));
  writer.reserve(headroomBytes);
  writeMessageHeader(message, writer);
  const parts: Bytes[] = [writer.bytes];
  pushMessageData(message, parts);
  return parts;
}

/**
 * The message in `bytes[start, end)`, all of it. Its data are views of `bytes`.
 * Throws `MinikeyError` `PROTOCOL`, with what and where, for anything else.
 */
export function decodeMessage(bytes: Bytes, start = 0, end = bytes.length): Message {
  const reader = new ByteReader(bytes, "raft message", "PROTOCOL", start, end);
  const message = readMessage(reader);
  reader.expectEnd();
  return message;
}

function codeOfType(type: Message["type"]): number {
  switch (type) {
    case "append":
      return APPEND;
    case "append-response":
      return APPEND_RESPONSE;
    case "heartbeat":
      return HEARTBEAT;
    case "heartbeat-response":
      return HEARTBEAT_RESPONSE;
    case "vote":
      return VOTE;
    case "vote-response":
      return VOTE_RESPONSE;
    case "snapshot":
      return SNAPSHOT;
    case "snapshot-response":
      return SNAPSHOT_RESPONSE;
    case "read-index":
      return READ_INDEX;
    case "read-index-response":
      return READ_INDEX_RESPONSE;
    case "timeout-now":
      return TIMEOUT_NOW;
    default:
      return unreachable(type, "message type");
  }
}

function bodyLength(message: Message): number {
  switch (message.type) {
    case "append":
      return APPEND_FIXED_BYTES + entriesHeaderLength(message.entries);
    case "append-response":
      return 3 * U48 + 1;
    case "heartbeat":
    case "read-index-response":
      return 2 * U48;
    case "heartbeat-response":
    case "read-index":
      return U48;
    case "vote":
    case "snapshot-response":
      return 2 * U48 + 1;
    case "vote-response":
      return 1;
    case "snapshot":
      return SNAPSHOT_FIXED_BYTES + snapshotMetaLength(message.meta);
    case "timeout-now":
      return 0;
    default:
      return unreachable(message, "message");
  }
}

function writeBody(message: Message, writer: ByteWriter): void {
  switch (message.type) {
    case "append":
      writer.u48(message.prevIndex);
      writer.u48(message.prevTerm);
      writer.u48(message.commit);
      return writeEntriesHeader(message.entries, writer);
    case "append-response":
      writer.u48(message.index);
      writer.u8(message.reject ? 1 : 0);
      writer.u48(message.hintIndex);
      return writer.u48(message.hintTerm);
    case "heartbeat":
      writer.u48(message.commit);
      return writer.u48(message.readRound);
    case "heartbeat-response":
      return writer.u48(message.readRound);
    case "vote":
      writer.u8((message.pre ? FLAG_PRE : 0) + (message.transfer ? FLAG_SECOND : 0));
      writer.u48(message.lastIndex);
      return writer.u48(message.lastTerm);
    case "vote-response":
      return writer.u8((message.pre ? FLAG_PRE : 0) + (message.reject ? FLAG_SECOND : 0));
    case "snapshot":
      writer.u48(message.offsetBytes);
      writer.u8(message.done ? 1 : 0);
      writeSnapshotMeta(message.meta, writer);
      return writer.u32(message.data.length);
    case "snapshot-response":
      writer.u48(message.index);
      writer.u48(message.offsetBytes);
      return writer.u8(message.reject ? 1 : 0);
    case "read-index":
      return writer.u48(message.context);
    case "read-index-response":
      writer.u48(message.context);
      return writer.u48(message.index);
    case "timeout-now":
      return;
    default:
      return unreachable(message, "message");
  }
}

function readMessage(reader: ByteReader): Message {
  const typeAt = reader.position;
  const type = reader.u8();
  const from = replicaId(reader.u48());
  const to = replicaId(reader.u48());
  const messageTerm = term(reader.u48());
  if (messageTerm > TERM_MAX) throw reader.error(`term ${messageTerm}`, typeAt);
  const envelope = { from, to, term: messageTerm };
  switch (type) {
    case APPEND:
      return readAppend(reader, envelope);
    case APPEND_RESPONSE:
      return {
        type: "append-response",
        ...envelope,
        index: logIndex(reader.u48()),
        reject: readFlags(reader, 1) === 1,
        hintIndex: logIndex(reader.u48()),
        hintTerm: term(reader.u48()),
      };
    case HEARTBEAT:
      return { type: "heartbeat", ...envelope, commit: logIndex(reader.u48()), readRound: reader.u48() };
    case HEARTBEAT_RESPONSE:
      return { type: "heartbeat-response", ...envelope, readRound: reader.u48() };
    case VOTE:
      return readVote(reader, envelope);
    case VOTE_RESPONSE: {
      const flags = readFlags(reader, FLAG_PRE + FLAG_SECOND);
      return {
        type: "vote-response",
        ...envelope,
        pre: (flags & FLAG_PRE) !== 0,
        reject: (flags & FLAG_SECOND) !== 0,
      };
    }
    case SNAPSHOT:
      return readSnapshot(reader, envelope);
    case SNAPSHOT_RESPONSE:
      return {
        type: "snapshot-response",
        ...envelope,
        index: logIndex(reader.u48()),
        offsetBytes: reader.u48(),
        reject: readFlags(reader, 1) === 1,
      };
    case READ_INDEX:
      return { type: "read-index", ...envelope, context: reader.u48() };
    case READ_INDEX_RESPONSE:
      return {
        type: "read-index-response",
        ...envelope,
        context: reader.u48(),
        index: logIndex(reader.u48()),
      };
    case TIMEOUT_NOW:
      return { type: "timeout-now", ...envelope };
    default:
      throw reader.error(`unknown type ${type}`, typeAt);
  }
}

type Envelope = Pick<Message, "from" | "to" | "term">;

function readAppend(reader: ByteReader, { from, to, term: messageTerm }: Envelope): Message {
  const prevIndex = logIndex(reader.u48());
  const prevTerm = term(reader.u48());
  const commit = logIndex(reader.u48());
  const entriesAt = reader.position;
  const entries = readEntries(reader);
  if (entries.length > 0 && entries[0].index !== prevIndex + 1) {
    throw reader.error(`entries start at ${entries[0].index}, not after ${prevIndex}`, entriesAt);
  }
  let lastTerm: number = prevTerm;
  for (const entry of entries) {
    if (entry.term < lastTerm) throw reader.error(`term ${entry.term} after ${lastTerm}`, entriesAt);
    lastTerm = entry.term;
  }
  if (lastTerm > messageTerm) {
    throw reader.error(`entries of term ${lastTerm} in a message of ${messageTerm}`, entriesAt);
  }
  return { type: "append", from, to, term: messageTerm, prevIndex, prevTerm, entries, commit };
}

function readVote(reader: ByteReader, { from, to, term: messageTerm }: Envelope): Message {
  const flags = readFlags(reader, FLAG_PRE + FLAG_SECOND);
  return {
    type: "vote",
    from,
    to,
    term: messageTerm,
    pre: (flags & FLAG_PRE) !== 0,
    lastIndex: logIndex(reader.u48()),
    lastTerm: term(reader.u48()),
    transfer: (flags & FLAG_SECOND) !== 0,
  };
}

function readSnapshot(reader: ByteReader, { from, to, term: messageTerm }: Envelope): Message {
  const offsetBytes = reader.u48();
  const done = readFlags(reader, 1) === 1;
  const metaAt = reader.position;
  const meta = readSnapshotMeta(reader);
  if (meta.index === 0 || meta.term > messageTerm || meta.configuration.voters.length === 0) {
    throw reader.error("a snapshot that no leader can have", metaAt);
  }
  const sizeBytes = reader.u32();
  const data = sizeBytes === 0 ? EMPTY_BYTES : reader.raw(sizeBytes);
  return { type: "snapshot", from, to, term: messageTerm, meta, offsetBytes, data, done };
}

/** A byte of flags, none but those in `allowed`. */
function readFlags(reader: ByteReader, allowed: number): number {
  const at = reader.position;
  const flags = reader.u8();
  if ((flags & ~allowed) !== 0) throw reader.error(`unknown flags ${flags}`, at);
  return flags;
}
