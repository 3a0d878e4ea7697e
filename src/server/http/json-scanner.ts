/**
 * Checks JSON text (RFC 8259, UTF-8) and makes it compact, without building objects from it.
 *
 * A document is stored as the text that was sent: `JSON.parse` would round 12345678901234567890, merge equal
 * keys, and give `__proto__` a meaning. The text is made compact in place (whitespace between tokens goes, all
 * else stays byte for byte), and where the members of the outermost object lie is noted on the way:
 *
 *     { "value" : [1, 2.50] }      as received
 *     {"value":[1,2.50]}           as compacted; member "value" is [9, 17)
 *
 * Invariants: what is before `out` is compact text; the run `[runStart, at)` follows it and has not been moved
 * yet; `out <= runStart <= at`. No recursion: nesting is a stack of bits with a bound. `scan` can be called in
 * slices, so that a large body does not hold up the event loop.
 *
 * For text in one piece that stays where it is there is codec/json-text.ts, which is faster and says less.
 */
import { isJsonSpace, JSON_DEPTH_MAX } from "../../codec/json-text.js";
import type { Bytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";

export type JsonKind = "string" | "number" | "boolean" | "null" | "object" | "array";

/** A value in the compacted text: `[start, end)`. `escaped`: a string with a backslash in it. */
export interface JsonSpan {
  readonly kind: JsonKind;
  readonly start: number;
  readonly end: number;
  readonly escaped: boolean;
}

export interface JsonMemberSpan {
  readonly name: JsonSpan;
  readonly value: JsonSpan;
}

/** A document may be nested as deep as anywhere; the object that it comes in is one level more. */
const DEPTH_MAX = JSON_DEPTH_MAX + 1;

/** What may come next. */
type State =
  | "value"
  | "value-or-end"
  | "name"
  | "name-or-end"
  | "colon"
  | "comma-or-end"
  | "in-string"
  | "done";

const EXPECTED: Record<Exclude<State, "in-string">, string> = {
  value: "a value",
  "value-or-end": 'a value or "]"',
  name: "a member name in double quotes",
  "name-or-end": 'a member name in double quotes or "}"',
  colon: '":"',
  "comma-or-end": '"," or the end of the object or array',
  done: "nothing more",
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const LINE_FEED = 0x0a;
/** The bytes that may follow a backslash, `u` apart. */
const SIMPLE_ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));
const LITERALS: ReadonlyMap<number, readonly [text: string, kind: JsonKind]> = new Map([
  [0x74, ["true", "boolean"]],
  [0x66, ["false", "boolean"]],
  [0x6e, ["null", "null"]],
]);

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
const isHex = (byte: number | undefined): boolean =>
  isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);

export class JsonScanner {
  readonly #bytes: Bytes;
  #at = 0;
  #out = 0;
  #runStart = 0;
  #line = 1;
  #lineStart = 0;
  #state: State = "value";
  /** 1 for an array, 0 for an object, from the outermost in. */
  readonly #isArray = new Uint8Array(DEPTH_MAX);
  #depth = 0;
  #stringIsName = false;
  #escaped = false;
  #rootKind: JsonKind | undefined;
  #nameSpan: JsonSpan | undefined;
  #valueStart = 0;
  #valueKind: JsonKind = "null";
  readonly #members: JsonMemberSpan[] = [];

  /** `bytes` is valid UTF-8; it is changed in place. */
  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  /**
   * Goes on for about `budgetBytes`; true when all has been read. Throws `MinikeyError` `BAD_REQUEST` that
   * says where the text is not JSON.
   */
  scan(budgetBytes: number): boolean {
    const bytes = this.#bytes;
    const stop = Math.min(bytes.length, this.#at + budgetBytes);
    while (this.#at < stop) {
      if (this.#state === "in-string") this.#scanString(stop);
      else if (isJsonSpace(bytes[this.#at])) this.#skipSpace();
      else this.#scanToken(bytes[this.#at]);
    }
    if (this.#at < bytes.length) return false;
    if (this.#state === "in-string") throw this.#error("the string has no end");
    if (this.#state !== "done") throw this.#error(`expected ${EXPECTED[this.#state]}, got the end`);
    this.#moveRun(this.#at);
    return true;
  }

  /** The kind of the whole text; `members` is empty unless it is an object. After `scan` returned true. */
  get rootKind(): JsonKind | undefined {
    return this.#rootKind;
  }

  /** The compact text is `bytes[0, sizeBytes)`. */
  get sizeBytes(): number {
    return this.#out;
  }

  get members(): readonly JsonMemberSpan[] {
    return this.#members;
  }

  #scanToken(byte: number): void {
    switch (this.#state) {
      case "value":
        return this.#beginValue(byte);
      case "value-or-end":
        return byte === 0x5d ? this.#close() : this.#beginValue(byte);
      case "name":
        return this.#beginName(byte);
      case "name-or-end":
        return byte === 0x7d ? this.#close() : this.#beginName(byte);
      case "colon":
        if (byte !== 0x3a) throw this.#unexpected();
        this.#at += 1;
        this.#state = "value";
        return undefined;
      case "comma-or-end":
        return this.#afterValue(byte);
      case "done":
      case "in-string":
        throw this.#unexpected();
    }
  }

  #beginName(byte: number): void {
    if (byte !== QUOTE) throw this.#unexpected();
    if (this.#depth === 1) this.#valueStart = this.#outPosition();
    this.#beginString(true);
  }

  #beginValue(byte: number): void {
    if (byte === QUOTE) {
      this.#note("string");
      this.#beginString(false);
    } else if (byte === 0x7b || byte === 0x5b) {
      this.#open(byte === 0x5b);
    } else if (byte === MINUS || isDigit(byte)) {
      this.#note("number");
      this.#scanNumber();
    } else {
      this.#scanLiteral(byte);
    }
  }

  #open(isArray: boolean): void {
    if (this.#depth === DEPTH_MAX) throw this.#error(`nested more than ${JSON_DEPTH_MAX} deep`);
    this.#note(isArray ? "array" : "object");
    this.#isArray[this.#depth] = isArray ? 1 : 0;
    this.#depth += 1;
    this.#at += 1;
    this.#state = isArray ? "value-or-end" : "name-or-end";
  }

  #close(): void {
    this.#depth -= 1;
    this.#at += 1;
    this.#endValue();
  }

  #afterValue(byte: number): void {
    const inArray = this.#isArray[this.#depth - 1] === 1;
    if (byte === (inArray ? 0x5d : 0x7d)) return this.#close();
    if (byte !== 0x2c) throw this.#unexpected();
    this.#at += 1;
    this.#state = inArray ? "value" : "name";
    return undefined;
  }

  /** Notes the start of the root, or of a member of the root. */
  #note(kind: JsonKind): void {
    if (this.#depth === 0) {
      this.#rootKind = kind;
    } else if (this.#depth === 1) {
      this.#valueKind = kind;
      this.#valueStart = this.#outPosition();
    }
  }

  #endValue(): void {
    if (this.#depth === 0) {
      this.#state = "done";
      return;
    }
    this.#state = "comma-or-end";
    if (this.#depth > 1 || this.#nameSpan === undefined) return;
    this.#members.push({ name: this.#nameSpan, value: this.#span(this.#valueKind) });
    this.#nameSpan = undefined;
  }

  #span(kind: JsonKind): JsonSpan {
    return {
      kind,
      start: this.#valueStart,
      end: this.#outPosition(),
      escaped: kind === "string" && this.#escaped,
    };
  }

  #beginString(isName: boolean): void {
    this.#at += 1;
    this.#escaped = false;
    this.#stringIsName = isName;
    this.#state = "in-string";
  }

  /** Up to the closing quote or `stop`: the loop that large bodies spend their time in. */
  #scanString(stop: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    while (at < stop) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.#at = at + 1;
        this.#endString();
        return;
      }
      if (byte === BACKSLASH) {
        this.#at = at;
        this.#scanEscape();
        at = this.#at;
      } else if (byte < 0x20) {
        this.#at = at;
        throw this.#error(`control character 0x${byte.toString(16).padStart(2, "0")} in a string; escape it`);
      } else {
        at += 1;
      }
    }
    this.#at = at;
  }

  #scanEscape(): void {
    const bytes = this.#bytes;
    const at = this.#at;
    this.#escaped = true;
    if (bytes[at + 1] === 0x75) {
      for (let i = at + 2; i < at + 6; i++) {
        if (!isHex(bytes[i])) throw this.#error("\\u needs four hexadecimal digits");
      }
      this.#at = at + 6;
    } else if (SIMPLE_ESCAPES.has(bytes[at + 1])) {
      this.#at = at + 2;
    } else {
      throw this.#error("unknown escape in a string");
    }
  }

  #endString(): void {
    if (!this.#stringIsName) {
      this.#endValue();
      return;
    }
    if (this.#depth === 1) this.#nameSpan = this.#span("string");
    this.#state = "colon";
  }

  /** `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?` */
  #scanNumber(): void {
    const bytes = this.#bytes;
    if (bytes[this.#at] === MINUS) this.#at += 1;
    if (bytes[this.#at] === 0x30) this.#at += 1;
    else this.#scanDigits();
    if (bytes[this.#at] === DOT) {
      this.#at += 1;
      this.#scanDigits();
    }
    if (bytes[this.#at] === 0x65 || bytes[this.#at] === 0x45) {
      this.#at += 1;
      if (bytes[this.#at] === PLUS || bytes[this.#at] === MINUS) this.#at += 1;
      this.#scanDigits();
    }
    this.#endValue();
  }

  #scanDigits(): void {
    const start = this.#at;
    while (isDigit(this.#bytes[this.#at])) this.#at += 1;
    if (this.#at === start) throw this.#error(`expected a digit, got ${this.#shown()}`);
  }

  #scanLiteral(byte: number): void {
    const literal = LITERALS.get(byte);
    if (literal === undefined) throw this.#unexpected();
    const [text, kind] = literal;
    const end = Math.min(this.#at + text.length, this.#bytes.length);
    if (this.#bytes.latin1Slice(this.#at, end) !== text) throw this.#unexpected();
    this.#note(kind);
    this.#at += text.length;
    this.#endValue();
  }

  #skipSpace(): void {
    this.#moveRun(this.#at);
    while (isJsonSpace(this.#bytes[this.#at])) {
      if (this.#bytes[this.#at] === LINE_FEED) {
        this.#line += 1;
        this.#lineStart = this.#at + 1;
      }
      this.#at += 1;
    }
    this.#runStart = this.#at;
  }

  /** Moves the run `[runStart, end)` to its place in the compact text. */
  #moveRun(end: number): void {
    if (this.#out !== this.#runStart) this.#bytes.copyWithin(this.#out, this.#runStart, end);
    this.#out += end - this.#runStart;
    this.#runStart = end;
  }

  /** Where the byte at `at` will be in the compact text. */
  #outPosition(): number {
    return this.#out + (this.#at - this.#runStart);
  }

  #unexpected(): MinikeyError {
    return this.#error(
      this.#state === "in-string"
        ? `unexpected ${this.#shown()}`
        : `expected ${EXPECTED[this.#state]}, got ${this.#shown()}`,
    );
  }

  /** The character at `at`, for people. */
  #shown(): string {
    if (this.#at >= this.#bytes.length) return "the end";
    const end = Math.min(this.#at + 4, this.#bytes.length);
    const character = String.fromCodePoint(this.#bytes.utf8Slice(this.#at, end).codePointAt(0) ?? 0);
    return JSON.stringify(character);
  }

  #error(what: string): MinikeyError {
    const column = this.#at - this.#lineStart + 1;
    return new MinikeyError("BAD_REQUEST", `invalid JSON at line ${this.#line}, column ${column}: ${what}`);
  }
}
