/**
 * Any `Reply` as bytes: between nodes, and for replies that are remembered to answer a repeated request.
 *
 *   reply := tag (1 byte) + content
 *
 *   NULL FALSE TRUE OK PONG            nothing
 *   INTEGER           varint n         0 to 2^53 − 1
 *   NEGATIVE_INTEGER  varint n         stands for −1 − n
 *   BIG_INTEGER       latin1           decimal
 *   BYTES             blob             a varint length and bytes; a `Slice`
 *   TEXT STATUS VERBATIM  utf8         a varint length and UTF-8
 *   DOUBLE            f64
 *   ARRAY SET         varint count, as many replies
 *   MAP               varint count, as many pairs of replies
 *   ERROR             latin1 code, outcome (1 byte), utf8 message
 *   BY_PROTOCOL       two replies, for RESP2 and for RESP3
 *
 * Decoded `Slice`s are views of the encoded bytes.
 */
import { ByteReader } from "../codec/byte-reader.js";
import type { ByteWriter } from "../codec/byte-writer.js";
import type { Bytes } from "../core/bytes.js";
import { ERROR_CLASSES, type ErrorCode, MinikeyError, type Outcome } from "../core/errors.js";
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
} from "./reply.js";

const TAG = {
  NULL: 0,
  FALSE: 1,
  TRUE: 2,
  OK: 3,
  PONG: 4,
  INTEGER: 5,
  NEGATIVE_INTEGER: 6,
  BIG_INTEGER: 7,
  BYTES: 8,
  TEXT: 9,
  STATUS: 10,
  VERBATIM: 11,
  DOUBLE: 12,
  ARRAY: 13,
  SET: 14,
  MAP: 15,
  ERROR: 16,
  BY_PROTOCOL: 17,
} as const;

const OUTCOMES: readonly Outcome[] = ["none", "not-applied", "unknown"];

/** Replies nest a few levels; more than this is malformed. */
const DEPTH_MAX = 32;

/** Appends `reply` to `writer`. */
export function encodeReply(writer: ByteWriter, reply: Reply): void {
  if (reply === null) writer.u8(TAG.NULL);
  else if (reply === OK) writer.u8(TAG.OK);
  else if (reply instanceof Slice) {
    writer.u8(TAG.BYTES);
    writer.blob(reply.bytes, reply.start, reply.end);
  } else if (typeof reply === "number") encodeInteger(writer, reply);
  else if (typeof reply === "string") encodeText(writer, TAG.TEXT, reply);
  else if (typeof reply === "boolean") writer.u8(reply ? TAG.TRUE : TAG.FALSE);
  else if (typeof reply === "bigint") {
    writer.u8(TAG.BIG_INTEGER);
    writer.latin1(String(reply));
  } else if (reply instanceof MinikeyError) encodeError(writer, reply);
  else if (reply instanceof Status) {
    if (reply === PONG) writer.u8(TAG.PONG);
    else encodeText(writer, TAG.STATUS, reply.text);
  } else if (reply instanceof DoubleReply) {
    writer.u8(TAG.DOUBLE);
    writer.f64(reply.value);
  } else if (reply instanceof VerbatimReply) encodeText(writer, TAG.VERBATIM, reply.text);
  else if (reply instanceof SetReply) encodeList(writer, TAG.SET, reply.items);
  else if (reply instanceof MapReply) {
    writer.u8(TAG.MAP);
    writer.varint(reply.entries.length);
    for (const [name, value] of reply.entries) {
      encodeReply(writer, name);
      encodeReply(writer, value);
    }
  } else if (reply instanceof ProtocolReply) {
    writer.u8(TAG.BY_PROTOCOL);
    encodeReply(writer, reply.resp2);
    encodeReply(writer, reply.resp3);
  } else encodeList(writer, TAG.ARRAY, reply);
}

function encodeInteger(writer: ByteWriter, value: number): void {
  writer.u8(value < 0 ? TAG.NEGATIVE_INTEGER : TAG.INTEGER);
  writer.varint(value < 0 ? -1 - value : value);
}

function encodeText(writer: ByteWriter, tag: number, text: string): void {
  writer.u8(tag);
  writer.utf8(text);
}

function encodeList(writer: ByteWriter, tag: number, items: readonly Reply[]): void {
  writer.u8(tag);
  writer.varint(items.length);
  for (const item of items) encodeReply(writer, item);
}

function encodeError(writer: ByteWriter, error: MinikeyError): void {
  writer.u8(TAG.ERROR);
  writer.latin1(error.code);
  writer.u8(OUTCOMES.indexOf(error.outcome));
  writer.utf8(error.message);
}

/**
 * The reply that fills `bytes[start, end)`. Throws `MinikeyError` `DATA_CORRUPT` when it is malformed or does
 * not end at `end`.
 */
export function decodeReply(bytes: Bytes, start = 0, end = bytes.length): Reply {
  const reader = new ByteReader(bytes, "reply", "DATA_CORRUPT", start, end);
  const reply = decodeReplyFrom(reader);
  reader.expectEnd();
  return reply;
}

/** As {@link decodeReply}, from where `reader` stands; `reader` stands behind the reply afterwards. */
export function decodeReplyFrom(reader: ByteReader, depth = 0): Reply {
  const tag = reader.u8();
  switch (tag) {
    case TAG.NULL:
      return null;
    case TAG.FALSE:
      return false;
    case TAG.TRUE:
      return true;
    case TAG.OK:
      return OK;
    case TAG.PONG:
      return PONG;
    case TAG.INTEGER:
      return reader.varint();
    case TAG.NEGATIVE_INTEGER:
      return -1 - reader.varint();
    case TAG.BIG_INTEGER:
      return decodeBigInteger(reader);
    case TAG.BYTES: {
      const length = reader.varint();
      const start = reader.skip(length);
      return new Slice(reader.bytes, start, start + length);
    }
    case TAG.TEXT:
      return reader.utf8();
    case TAG.STATUS:
      return new Status(reader.utf8());
    case TAG.VERBATIM:
      return new VerbatimReply(reader.utf8());
    case TAG.DOUBLE:
      return new DoubleReply(reader.f64());
    case TAG.ARRAY:
      return decodeList(reader, depth);
    case TAG.SET:
      return new SetReply(decodeList(reader, depth));
    case TAG.MAP:
      return decodeMap(reader, depth);
    case TAG.ERROR:
      return decodeError(reader);
    case TAG.BY_PROTOCOL:
      if (depth >= DEPTH_MAX) throw reader.error("too many levels");
      return new ProtocolReply(decodeReplyFrom(reader, depth + 1), decodeReplyFrom(reader, depth + 1));
    default:
      throw reader.error(`unknown tag ${tag}`);
  }
}

function decodeBigInteger(reader: ByteReader): bigint {
  const digits = reader.latin1();
  if (!/^-?\d{1,20}$/.test(digits)) throw reader.error("a number that is none");
  return BigInt(digits);
}

function decodeCount(reader: ByteReader, depth: number): number {
  const count = reader.varint();
  if (depth >= DEPTH_MAX) throw reader.error("too many levels");
  return count;
}

function decodeList(reader: ByteReader, depth: number): Reply[] {
  const items: Reply[] = [];
  for (let left = decodeCount(reader, depth); left > 0; left -= 1) {
    items.push(decodeReplyFrom(reader, depth + 1));
  }
  return items;
}

function decodeMap(reader: ByteReader, depth: number): MapReply {
  const entries: [Reply, Reply][] = [];
  for (let left = decodeCount(reader, depth); left > 0; left -= 1) {
    const name = decodeReplyFrom(reader, depth + 1);
    entries.push([name, decodeReplyFrom(reader, depth + 1)]);
  }
  return new MapReply(entries);
}

function decodeError(reader: ByteReader): MinikeyError {
  const code = reader.latin1();
  const outcome = OUTCOMES.at(reader.u8());
  const message = reader.utf8();
  if (!Object.hasOwn(ERROR_CLASSES, code) || outcome === undefined) {
    throw reader.error(`unknown error class ${JSON.stringify(code)}`);
  }
  return new MinikeyError(code as ErrorCode, message, { outcome });
}
