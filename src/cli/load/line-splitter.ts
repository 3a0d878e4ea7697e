/**
 * A stream of bytes as lines, with bounded memory: a line longer than the bound is dropped up to its end and
 * reported by `isTooLong`. A byte order mark at the start is no part of the first line.
 *
 * Used as a cursor, so that a line costs no object: `push` a chunk (or `end`), then go from line to line with
 * `next`, whose line is `bytes[start, end)` without its end (`\n` or `\r\n`).
 */
import { asBytes, type Bytes, concatBytes, EMPTY_BYTES } from "../../core/bytes.js";

const LF = 10;
const CR = 13;

/** One line, where it lies. */
export interface Line {
  /** Valid until the next chunk. */
  readonly bytes: Bytes;
  readonly start: number;
  readonly end: number;
  /** From 1. */
  readonly number: number;
  /** The line was too long, and is empty here. */
  readonly isTooLong: boolean;
}

export class LineSplitter implements Line {
  bytes: Bytes = EMPTY_BYTES;
  start = 0;
  end = 0;
  number = 0;
  isTooLong = false;
  readonly #lineBytesMax: number;
  #chunk: Bytes = EMPTY_BYTES;
  #at = 0;
  #isAtEnd = false;
  /** Of a line that has begun in earlier chunks. */
  #begun: Bytes[] = [];
  #begunBytes = 0;
  #isBegunTooLong = false;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** What comes next in the stream; every line of the last chunk has been gone to. */
  push(chunk: Uint8Array): void {
    this.#chunk = asBytes(chunk);
    this.#at = 0;
  }

  /** Nothing comes any more: a last line may have no end. */
  finish(): void {
    this.#isAtEnd = true;
  }

  /** Goes to the next line; false when more of the stream is needed for it. */
  next(): boolean {
    const chunk = this.#chunk;
    const lineFeed = chunk.indexOf(LF, this.#at);
    if (lineFeed < 0 || this.#at >= chunk.length) return this.#goOn();
    const start = this.#at;
    this.#at = lineFeed + 1;
    this.number += 1;
    if (this.#begunBytes > 0 || this.#isBegunTooLong) {
      this.#begin(chunk.subarray(start, lineFeed));
      this.#takeBegun();
    } else if (lineFeed - start > this.#lineBytesMax) {
      this.#set(EMPTY_BYTES, 0, 0, true);
    } else {
      this.#set(chunk, start, lineFeed, false);
    }
    return true;
  }

  /** The chunk ends before the line does. */
  #goOn(): boolean {
    if (this.#at < this.#chunk.length) this.#begin(this.#chunk.subarray(this.#at));
    this.#chunk = EMPTY_BYTES;
    this.#at = 0;
    if (!this.#isAtEnd || (this.#begunBytes === 0 && !this.#isBegunTooLong)) return false;
    this.number += 1;
    this.#takeBegun();
    return true;
  }

  #begin(piece: Bytes): void {
    if (this.#isBegunTooLong || this.#begunBytes + piece.length > this.#lineBytesMax) {
      this.#isBegunTooLong = true;
      this.#begun = [];
      this.#begunBytes = 0;
      return;
    }
    this.#begun.push(piece);
    this.#begunBytes += piece.length;
  }

  #takeBegun(): void {
    const whole = concatBytes(this.#begun);
    this.#set(whole, 0, whole.length, this.#isBegunTooLong);
    this.#begun = [];
    this.#begunBytes = 0;
    this.#isBegunTooLong = false;
  }

  #set(bytes: Bytes, start: number, end: number, isTooLong: boolean): void {
    const hasReturn = end > start && bytes[end - 1] === CR;
    const hasMark =
      this.number === 1 &&
      end - start >= 3 &&
      bytes[start] === 0xef &&
      bytes[start + 1] === 0xbb &&
      bytes[start + 2] === 0xbf;
    this.bytes = bytes;
    this.start = hasMark ? start + 3 : start;
    this.end = hasReturn ? end - 1 : end;
    this.isTooLong = isTooLong;
  }
}
