/**
 * Reads what `ByteWriter` wrote. Every read checks its bounds: malformed input is a `MinikeyError` that says
 * what was read and at which byte, never a read past the end.
 */
import type { Bytes } from "../core/bytes.js";
import { type ErrorCode, MinikeyError } from "../core/errors.js";

export class ByteReader {
  readonly bytes: Bytes;
  readonly #what: string;
  readonly #code: ErrorCode;
  readonly #end: number;
  #at: number;

  /** `what` names the thing read, in errors of class `code`. */
  constructor(bytes: Bytes, what: string, code: ErrorCode = "PROTOCOL", start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#what = what;
    this.#code = code;
    this.#at = start;
    this.#end = end;
  }

  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.bytes[this.#take(1)];
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.#take(4));
  }

  u48(): number {
    return this.bytes.readUIntLE(this.#take(6), 6);
  }

  f64(): number {
    return this.bytes.readDoubleLE(this.#take(8));
  }

  varint(): number {
    const start = this.#at;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    throw this.error("a number that is too large", start);
  }

  /** A view of the next `sizeBytes`, no copy. */
  raw(sizeBytes: number): Bytes {
    const start = this.#take(sizeBytes);
    return this.bytes.subarray(start, start + sizeBytes);
  }

  /** A varint length, then a view of as many bytes. */
  blob(): Bytes {
    return this.raw(this.varint());
  }

  /** A varint count, then as many items, each of a byte at least: a count that cannot be is refused at once. */
  list<T>(readItem: (reader: this) => T): T[] {
    const start = this.#at;
    const count = this.varint();
    if (count > this.remaining) throw this.error(`${count} items announced`, start);
    const items: T[] = [];
    while (items.length < count) items.push(readItem(this));
    return items;
  }

  latin1(): string {
    const sizeBytes = this.varint();
    const start = this.#take(sizeBytes);
    return this.bytes.latin1Slice(start, start + sizeBytes);
  }

  utf8(): string {
    const sizeBytes = this.varint();
    const start = this.#take(sizeBytes);
    return this.bytes.utf8Slice(start, start + sizeBytes);
  }

  /** Skips `sizeBytes` and returns where they start. */
  skip(sizeBytes: number): number {
    return this.#take(sizeBytes);
  }

  expectEnd(): void {
    if (this.#at !== this.#end) throw this.error(`${this.#end - this.#at} bytes too many`, this.#at);
  }

  error(problem: string, at = this.#at): MinikeyError {
    return new MinikeyError(this.#code, `malformed ${this.#what}: ${problem} at byte ${at}`);
  }

  #take(sizeBytes: number): number {
    const start = this.#at;
    if (sizeBytes > this.#end - start) {
      throw this.error(`${sizeBytes} bytes expected, ${this.#end - start} left`);
    }
    this.#at = start + sizeBytes;
    return start;
  }
}
