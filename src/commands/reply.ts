/**
 * What a command answers, before any protocol gives it a form. RESP, HTTP, the shell and the library each
 * render the same values.
 */
import type { Bytes } from "../core/bytes.js";
import type { MinikeyError } from "../core/errors.js";

/** A RESP simple string such as `OK`. Compared by identity: use the constants. */
export class Status {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export const OK = new Status("OK");
export const PONG = new Status("PONG");

/** Bytes inside a larger buffer, so that a read copies once, into the socket's buffer. Valid this turn only. */
export class Slice {
  readonly bytes: Bytes;
  readonly start: number;
  readonly end: number;
  constructor(bytes: Bytes, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }
}

/** A RESP3 map; RESP2 sends it as a flat array. */
export class MapReply {
  readonly entries: readonly (readonly [Reply, Reply])[];
  constructor(entries: readonly (readonly [Reply, Reply])[]) {
    this.entries = entries;
  }
}

/** A RESP3 set; RESP2 sends it as an array. */
export class SetReply {
  readonly items: readonly Reply[];
  constructor(items: readonly Reply[]) {
    this.items = items;
  }
}

/** A RESP3 double; RESP2 sends it as a bulk string. */
export class DoubleReply {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** A RESP3 verbatim string; RESP2 sends it as a bulk string. */
export class VerbatimReply {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Where RedisJSON answers RESP2 and RESP3 differently in more than form. Whoever is neither takes `resp3`. */
export class ProtocolReply {
  readonly resp2: Reply;
  readonly resp3: Reply;
  constructor(resp2: Reply, resp3: Reply) {
    this.resp2 = resp2;
    this.resp3 = resp3;
  }
}

/**
 * `number`: an integer within ±2^53. `bigint`: a 64-bit integer. `string`: text (sent as a UTF-8 bulk
 * string). `Slice`: bytes (a bulk string). `null`: nil. `boolean`: RESP3 boolean, RESP2 0 or 1.
 */
export type Reply =
  | number
  | bigint
  | string
  | boolean
  | null
  | Slice
  | Status
  | MinikeyError
  | MapReply
  | SetReply
  | DoubleReply
  | VerbatimReply
  | ProtocolReply
  | readonly Reply[];
