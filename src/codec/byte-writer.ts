/**
 * A growing buffer to encode into. Integers are little-endian; a varint is LEB128 (7 bits a byte, the lowest
 * first), up to 2^53 − 1.
 */
import { allocOwnBytes, type Bytes, copyBytes, copyInto, utf8Length } from "../core/bytes.js";

export class ByteWriter {
  #bytes: Bytes;
  #length = 0;

  constructor(initialBytes = 256) {
    this.#bytes = allocOwnBytes(initialBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** The buffer written to: valid up to `length`, until the next write. */
  get bytes(): Bytes {
    return this.#bytes;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Takes back what was written last, all but the first `length` bytes. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** Makes room and returns the offset at which `sizeBytes` may be written; counts them as written. */
  reserve(sizeBytes: number): number {
    const start = this.#length;
    const end = start + sizeBytes;
    if (end > this.#bytes.length) this.#grow(end);
    this.#length = end;
    return start;
  }

  u8(value: number): void {
    const at = this.reserve(1);
    this.#bytes[at] = value;
  }

  u32(value: number): void {
    const at = this.reserve(4);
    this.#bytes.writeUInt32LE(value, at);
  }

  u48(value: number): void {
    const at = this.reserve(6);
    this.#bytes.writeUIntLE(value, at, 6);
  }

  f64(value: number): void {
    const at = this.reserve(8);
    this.#bytes.writeDoubleLE(value, at);
  }

  varint(value: number): void {
    if (value < 0x80) {
      this.u8(value);
      return;
    }
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  /** `source[start, end)` without a length. */
  raw(source: Bytes, start = 0, end = source.length): void {
    const at = this.reserve(end - start);
    copyInto(this.#bytes, at, source, start, end);
  }

  /** A varint length, then the bytes. */
  blob(source: Bytes, start = 0, end = source.length): void {
    this.varint(end - start);
    this.raw(source, start, end);
  }

  /** A varint length, then one byte a character. */
  latin1(text: string): void {
    this.varint(text.length);
    const at = this.reserve(text.length);
    this.#bytes.latin1Write(text, at, text.length);
  }

  /** A varint length in bytes, then UTF-8. */
  utf8(text: string): void {
    const sizeBytes = utf8Length(text);
    this.varint(sizeBytes);
    const at = this.reserve(sizeBytes);
    this.#bytes.utf8Write(text, at, sizeBytes);
  }

  /** What was written, in memory of its own. */
  toBytes(): Bytes {
    return copyBytes(this.#bytes, 0, this.#length);
  }

  #grow(neededBytes: number): void {
    const larger = allocOwnBytes(Math.max(neededBytes, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
