/**
 * Reads RESP2 and RESP3 replies from a stream of chunks cut anywhere
 * (https://redis.io/docs/latest/develop/reference/protocol-spec/).
 *
 * Every byte is looked at once: an array that arrives in a thousand chunks is filled by a stack of open
 * aggregates, and a large bulk string waits until all of it is there before its pieces are joined.
 *
 * Push messages (`>`) and attributes (`|`) are read and left out: nobody asked for them.
 */
import { DoubleReply, OK, PONG, Status, VerbatimReply } from "../commands/reply.js";
import { MinikeyError } from "../core/errors.js";
import { parseRespError } from "./resp-errors.js";
import { WireMap, type WireReply, WireSet } from "./wire.js";

/** A line is a length, a number, a status or an error: longer means that this is not RESP. */
const LINE_BYTES_MAX = 1 << 20;
const BULK_BYTES_MAX = 1 << 30;
const NESTING_MAX = 128;

const LF = 10;
const ZERO = 48;
const MINUS = 45;

const TYPE = {
  status: 43, // +
  error: 45, // -
  integer: 58, // :
  bulk: 36, // $
  array: 42, // *
  none: 95, // _
  boolean: 35, // #
  double: 44, // ,
  bigNumber: 40, // (
  blobError: 33, // !
  verbatim: 61, // =
  map: 37, // %
  set: 126, // ~
  push: 62, // >
  attribute: 124, // |
} as const;

/** An aggregate whose items are still arriving. */
interface OpenAggregate {
  readonly type: number;
  readonly items: WireReply[];
  missing: number;
}

/** No value: the bytes end before it does. */
const INCOMPLETE = Symbol("incomplete");
/** No value: the item opened an aggregate, or was one that nobody reads. */
const NOTHING = Symbol("nothing");

type Parsed = WireReply | typeof INCOMPLETE | typeof NOTHING;

export class ReplyParser {
  readonly #onReply: (reply: WireReply) => void;
  readonly #open: OpenAggregate[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #position = 0;
  /** Chunks that arrived after `#bytes` and are not joined to it yet. */
  #later: Buffer[] = [];
  #laterBytes = 0;
  /** No token is complete before this many bytes follow `#position`. */
  #neededBytes = 1;

  constructor(onReply: (reply: WireReply) => void) {
    this.#onReply = onReply;
  }

  /** Calls back for every reply that `chunk` completes. Throws `PROTOCOL` for what is not RESP. */
  push(chunk: Buffer): void {
    const leftBytes = this.#bytes.length - this.#position;
    if (leftBytes === 0) {
      this.#bytes = chunk;
      this.#position = 0;
    } else {
      this.#later.push(chunk);
      this.#laterBytes += chunk.length;
      if (leftBytes + this.#laterBytes < this.#neededBytes) return;
      this.#bytes = Buffer.concat([this.#bytes.subarray(this.#position), ...this.#later]);
      this.#position = 0;
      this.#later = [];
      this.#laterBytes = 0;
    }
    this.#readAll();
  }

  #readAll(): void {
    while (this.#position < this.#bytes.length) {
      const value = this.#readToken();
      if (value === INCOMPLETE) return;
      if (value !== NOTHING) this.#complete(value);
    }
    this.#neededBytes = 1;
  }

  /** Puts a value where it belongs: into the innermost open aggregate, which that may complete, or out. */
  #complete(value: WireReply): void {
    let current = value;
    for (;;) {
      const open = this.#open.at(-1);
      if (open === undefined) {
        this.#onReply(current);
        return;
      }
      open.items.push(current);
      open.missing -= 1;
      if (open.missing > 0) return;
      this.#open.pop();
      if (open.type === TYPE.push || open.type === TYPE.attribute) return;
      current = aggregateOf(open.type, open.items);
    }
  }

  #readToken(): Parsed {
    const bytes = this.#bytes;
    const lineStart = this.#position + 1;
    const lineFeed = bytes.indexOf(LF, lineStart);
    if (lineFeed < 0) {
      const lengthBytes = bytes.length - this.#position;
      if (lengthBytes > LINE_BYTES_MAX) throw protocolError("a line without an end");
      this.#neededBytes = lengthBytes + 1;
      return INCOMPLETE;
    }
    const lineEnd = lineFeed - 1;
    const next = lineFeed + 1;
    const type = bytes[this.#position];
    switch (type) {
      case TYPE.bulk:
      case TYPE.blobError:
      case TYPE.verbatim:
        return this.#readBlob(type, this.#integer(lineStart, lineEnd), next);
      case TYPE.array:
      case TYPE.set:
      case TYPE.push:
      case TYPE.map:
      case TYPE.attribute:
        return this.#openAggregate(type, this.#integer(lineStart, lineEnd), next);
      default:
        this.#position = next;
        return this.#simpleValue(type, lineStart, lineEnd);
    }
  }

  #simpleValue(type: number, start: number, end: number): WireReply {
    switch (type) {
      case TYPE.status:
        return statusOf(this.#bytes.toString("utf8", start, end));
      case TYPE.error:
        return parseRespError(this.#bytes.toString("utf8", start, end));
      case TYPE.integer:
        return this.#integerOrBig(start, end);
      case TYPE.none:
        return null;
      case TYPE.boolean:
        return this.#bytes[start] === 116; // t
      case TYPE.double:
        return new DoubleReply(parseDouble(this.#bytes.toString("latin1", start, end)));
      case TYPE.bigNumber:
        return BigInt(this.#bytes.toString("latin1", start, end));
      default:
        throw protocolError(`a reply of type ${JSON.stringify(String.fromCharCode(type))}`);
    }
  }

  #readBlob(type: number, lengthBytes: number, start: number): Parsed {
    if (lengthBytes < 0) {
      this.#position = start;
      return null;
    }
    if (lengthBytes > BULK_BYTES_MAX) throw protocolError(`a string of ${lengthBytes} bytes`);
    const end = start + lengthBytes;
    if (this.#bytes.length < end + 2) {
      this.#neededBytes = end + 2 - this.#position;
      return INCOMPLETE;
    }
    this.#position = end + 2;
    if (type === TYPE.bulk) return this.#bytes.subarray(start, end);
    if (type === TYPE.blobError) return parseRespError(this.#bytes.toString("utf8", start, end));
    return new VerbatimReply(this.#bytes.toString("utf8", start + 4, end));
  }

  #openAggregate(type: number, count: number, next: number): Parsed {
    this.#position = next;
    if (count < 0) return null;
    if (count === 0) {
      return type === TYPE.push || type === TYPE.attribute ? NOTHING : aggregateOf(type, []);
    }
    if (this.#open.length >= NESTING_MAX) throw protocolError("a reply nested too deep");
    const missing = type === TYPE.map || type === TYPE.attribute ? 2 * count : count;
    this.#open.push({ type, items: [], missing });
    return NOTHING;
  }

  /** The decimal number in `[start, end)`. */
  #integer(start: number, end: number): number {
    const bytes = this.#bytes;
    const negative = bytes[start] === MINUS;
    let value = 0;
    for (let i = negative ? start + 1 : start; i < end; i += 1) {
      const digit = bytes[i] - ZERO;
      if (digit < 0 || digit > 9) throw protocolError("a number with other characters than digits");
      value = 10 * value + digit;
    }
    return negative ? -value : value;
  }

  #integerOrBig(start: number, end: number): number | bigint {
    const value = this.#integer(start, end);
    return Number.isSafeInteger(value) ? value : BigInt(this.#bytes.toString("latin1", start, end));
  }
}

function statusOf(text: string): Status {
  if (text === "OK") return OK;
  if (text === "PONG") return PONG;
  return new Status(text);
}

function aggregateOf(type: number, items: WireReply[]): WireReply {
  if (type === TYPE.map) {
    const entries: [WireReply, WireReply][] = [];
    for (let i = 0; i < items.length; i += 2) entries.push([items[i], items[i + 1]]);
    return new WireMap(entries);
  }
  return type === TYPE.set ? new WireSet(items) : items;
}

function parseDouble(text: string): number {
  if (text === "inf") return Infinity;
  if (text === "-inf") return -Infinity;
  return Number(text);
}

function protocolError(what: string): MinikeyError {
  return new MinikeyError("PROTOCOL", `the server does not speak RESP: it sent ${what}`);
}
