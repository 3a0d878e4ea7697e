/**
 * A stream of bytes as lines, with bounded memory: a line longer than the bound is dropped up to its end and
 * reported by `isTooLong`.
 */

export interface Line {
  /** Without its end (`\n` or `\r\n`); empty when the line was too long. A view: valid until the next chunk. */
  readonly bytes: Buffer;
  /** From 1. */
  readonly number: number;
  readonly isTooLong: boolean;
}

const LF = 10;
const CR = 13;
const EMPTY = Buffer.alloc(0);

export class LineSplitter {
  readonly #lineBytesMax: number;
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #isTooLong = false;
  #number = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** The lines that end in `chunk`. */
  *push(chunk: Buffer): Generator<Line, void, undefined> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LF, start);
      if (end < 0) break;
      yield this.#finish(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#begin(chunk.subarray(start));
  }

  /** The last line, when no line end follows it. */
  *end(): Generator<Line, void, undefined> {
    if (this.#begunBytes > 0 || this.#isTooLong) yield this.#finish(EMPTY);
  }

  #begin(piece: Buffer): void {
    if (this.#isTooLong || this.#begunBytes + piece.length > this.#lineBytesMax) {
      this.#isTooLong = true;
      this.#begun = [];
      this.#begunBytes = 0;
      return;
    }
    this.#begun.push(piece);
    this.#begunBytes += piece.length;
  }

  #finish(piece: Buffer): Line {
    this.#number += 1;
    const isTooLong = this.#isTooLong || this.#begunBytes + piece.length > this.#lineBytesMax;
    const whole = this.#begunBytes === 0 ? piece : Buffer.concat([...this.#begun, piece]);
    this.#begun = [];
    this.#begunBytes = 0;
    this.#isTooLong = false;
    if (isTooLong) return { bytes: EMPTY, number: this.#number, isTooLong };
    const bytes = whole.at(-1) === CR ? whole.subarray(0, -1) : whole;
    return { bytes, number: this.#number, isTooLong };
  }
}
