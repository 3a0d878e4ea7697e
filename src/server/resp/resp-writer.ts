/**
 * Replies in RESP2 or RESP3, one behind the other in a growing buffer that is used again and again.
 * Source: the Redis serialization protocol specification, and for what RESP2 makes of RESP3's types Redis 7.0,
 * `networking.c`.
 */
import {
  DoubleReply,
  MapReply,
  OK,
  ProtocolReply,
  type Reply,
  SetReply,
  Slice,
  Status,
  VerbatimReply,
} from "../../commands/reply.js";
import { allocOwnBytes, type Bytes, latin1ToBytes, utf8Length } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";

export type Protocol = 2 | 3;

const CR = 0x0d;
const LF = 0x0a;
const MINUS = 0x2d;
const ZERO = 0x30;
const DOLLAR = 0x24;
const COLON = 0x3a;
const PLUS = 0x2b;
const STAR = 0x2a;
const PERCENT = 0x25;
const TILDE = 0x7e;
const COMMA = 0x2c;
const EQUALS = 0x3d;

const OK_BYTES = latin1ToBytes("+OK\r\n");
const NULL_BULK = latin1ToBytes("$-1\r\n");
const NULL_RESP3 = latin1ToBytes("_\r\n");
const TRUE_RESP3 = latin1ToBytes("#t\r\n");
const FALSE_RESP3 = latin1ToBytes("#f\r\n");

/** Copying up to here in JavaScript costs less than the call that copies natively. */
const SHORT_COPY_MAX = 48;
/** Type, sign, 20 digits, line end. */
const HEADER_BYTES_MAX = 24;

export class RespWriter {
  #bytes: Bytes;
  #length = 0;

  constructor(initialBytes: number) {
    this.#bytes = allocOwnBytes(initialBytes);
  }

  /** Valid up to `length`. */
  get bytes(): Bytes {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Appends `reply` as `protocol` sends it. */
  write(reply: Reply, protocol: Protocol): void {
    if (reply === OK) this.raw(OK_BYTES, 0, OK_BYTES.length);
    else if (reply === null) {
      const bytes = protocol === 3 ? NULL_RESP3 : NULL_BULK;
      this.raw(bytes, 0, bytes.length);
    } else if (reply instanceof Slice) this.bulk(reply.bytes, reply.start, reply.end);
    else if (typeof reply === "number") this.#integer(reply);
    else this.#writeOther(reply, protocol);
  }

  #writeOther(reply: Exclude<Reply, null | Slice | number>, protocol: Protocol): void {
    if (typeof reply === "string") this.#text(reply);
    else if (reply instanceof Status) this.#line(PLUS, reply.text);
    else if (reply instanceof MinikeyError) this.#line(MINUS, reply.toRespText());
    else if (typeof reply === "bigint") this.#line(COLON, String(reply));
    else if (typeof reply === "boolean") this.#boolean(reply, protocol);
    else if (reply instanceof MapReply) this.#map(reply, protocol);
    else if (reply instanceof SetReply) this.#list(protocol === 3 ? TILDE : STAR, reply.items, protocol);
    else if (reply instanceof DoubleReply) this.#double(reply.value, protocol);
    else if (reply instanceof VerbatimReply) this.#verbatim(reply.text, protocol);
    else if (reply instanceof ProtocolReply) this.write(protocol === 3 ? reply.resp3 : reply.resp2, protocol);
    else this.#list(STAR, reply, protocol);
  }

  /** Appends bytes as they are. */
  raw(source: Bytes, start: number, end: number): void {
    const length = end - start;
    const at = this.#reserve(length);
    copy(source, start, end, this.#bytes, at);
  }

  /** `$5\r\nhello\r\n` */
  bulk(source: Bytes, start: number, end: number): void {
    const length = end - start;
    this.#makeRoom(length + HEADER_BYTES_MAX + 2);
    this.#header(DOLLAR, length);
    copy(source, start, end, this.#bytes, this.#length);
    this.#length += length;
    this.#lineEnd();
  }

  #integer(value: number): void {
    if (Number.isSafeInteger(value) && value >= 0) {
      this.#makeRoom(HEADER_BYTES_MAX);
      this.#header(COLON, value);
    } else this.#line(COLON, String(value));
  }

  #text(text: string): void {
    const length = utf8Length(text);
    this.#makeRoom(length + HEADER_BYTES_MAX + 2);
    this.#header(DOLLAR, length);
    this.#length += this.#bytes.utf8Write(text, this.#length, length);
    this.#lineEnd();
  }

  #boolean(value: boolean, protocol: Protocol): void {
    if (protocol === 2) this.#integer(value ? 1 : 0);
    else {
      const bytes = value ? TRUE_RESP3 : FALSE_RESP3;
      this.raw(bytes, 0, bytes.length);
    }
  }

  #double(value: number, protocol: Protocol): void {
    const text = doubleText(value);
    if (protocol === 3) this.#line(COMMA, text);
    else this.#text(text);
  }

  /** `=9\r\ntxt:hello\r\n` */
  #verbatim(text: string, protocol: Protocol): void {
    if (protocol === 2) {
      this.#text(text);
      return;
    }
    const marked = `txt:${text}`;
    const length = utf8Length(marked);
    this.#makeRoom(length + HEADER_BYTES_MAX + 2);
    this.#header(EQUALS, length);
    this.#length += this.#bytes.utf8Write(marked, this.#length, length);
    this.#lineEnd();
  }

  #list(type: number, items: readonly Reply[], protocol: Protocol): void {
    this.#makeRoom(HEADER_BYTES_MAX);
    this.#header(type, items.length);
    for (const item of items) this.write(item, protocol);
  }

  #map(map: MapReply, protocol: Protocol): void {
    const count = map.entries.length;
    this.#makeRoom(HEADER_BYTES_MAX);
    if (protocol === 3) this.#header(PERCENT, count);
    else this.#header(STAR, 2 * count);
    for (const [name, value] of map.entries) {
      this.write(name, protocol);
      this.write(value, protocol);
    }
  }

  /** A type, text without line ends, and a line end. */
  #line(type: number, text: string): void {
    const length = utf8Length(text);
    this.#makeRoom(length + 3);
    this.#bytes[this.#length] = type;
    this.#length += 1;
    this.#length += this.#bytes.utf8Write(text, this.#length, length);
    this.#lineEnd();
  }

  /** A type, a number that is not negative, and a line end. There is room. */
  #header(type: number, value: number): void {
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at] = type;
    if (value < 10) {
      bytes[at + 1] = ZERO + value;
      at += 2;
    } else {
      let digits = 2;
      for (let bound = 100; value >= bound; bound *= 10) digits += 1;
      let rest = value;
      for (let i = at + digits; i > at; i -= 1) {
        const tenth = rest < 0x7fff_ffff ? (rest / 10) | 0 : Math.floor(rest / 10);
        bytes[i] = ZERO + (rest - tenth * 10);
        rest = tenth;
      }
      at += 1 + digits;
    }
    bytes[at] = CR;
    bytes[at + 1] = LF;
    this.#length = at + 2;
  }

  #lineEnd(): void {
    this.#bytes[this.#length] = CR;
    this.#bytes[this.#length + 1] = LF;
    this.#length += 2;
  }

  #reserve(sizeBytes: number): number {
    this.#makeRoom(sizeBytes);
    const at = this.#length;
    this.#length += sizeBytes;
    return at;
  }

  #makeRoom(sizeBytes: number): void {
    const needed = this.#length + sizeBytes;
    if (needed <= this.#bytes.length) return;
    const larger = allocOwnBytes(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

function copy(source: Bytes, start: number, end: number, target: Bytes, at: number): void {
  if (end - start > SHORT_COPY_MAX) {
    source.copy(target, at, start, end);
    return;
  }
  for (let from = start, to = at; from < end; from += 1, to += 1) target[to] = source[from];
}

/** As Redis prints doubles (`%.17g`), but with JavaScript's shortest digits that read back alike. */
function doubleText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "inf";
  if (value === Number.NEGATIVE_INFINITY) return "-inf";
  return Number.isNaN(value) ? "nan" : String(value);
}
