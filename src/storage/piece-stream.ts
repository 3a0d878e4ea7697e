/** Reads the tables of a group as snapshot pieces, in slices that leave the event loop its turns. */
import type { Bytes, Key } from "../core/bytes.js";
import type { Clock } from "../ports/clock.js";
import type { StoredValue } from "../ports/storage-engine.js";
import { PieceWriter } from "./pieces.js";
import { TurnSlices } from "./turn-slices.js";

/** Goes through one table in key order. */
export interface EntryCursor {
  /** Undefined at the end. */
  readonly key: Key | undefined;
  readonly value: StoredValue;
  advance(): void;
}

/** Records between two looks at the clock. */
const RECORDS_A_LOOK = 64;

export class PieceStream {
  readonly #clock: Clock;
  readonly #cursors: readonly EntryCursor[];
  #table = 0;
  #records = 0;
  #closed = false;

  /** `cursors` by table number. */
  constructor(clock: Clock, cursors: readonly EntryCursor[]) {
    this.#clock = clock;
    this.#cursors = cursors;
  }

  /** Records read so far. */
  get records(): number {
    return this.#records;
  }

  /** The next piece of about `sizeBytes`, or undefined at the end and after `close`. */
  async next(sizeBytes: number): Promise<Bytes | undefined> {
    const slices = new TurnSlices(this.#clock);
    const piece = new PieceWriter(sizeBytes);
    while (this.#table < this.#cursors.length && !this.#closed) {
      const cursor = this.#cursors[this.#table];
      const key = cursor.key;
      if (key === undefined) {
        this.#table += 1;
        continue;
      }
      const value = cursor.value;
      if (!piece.fits(key, value)) break;
      piece.add(this.#table, key, value);
      cursor.advance();
      this.#records += 1;
      if (this.#records % RECORDS_A_LOOK === 0 && slices.isDue()) await slices.pause();
    }
    return piece.isEmpty || this.#closed ? undefined : piece.finish();
  }

  /** Stops reading: what the cursors read from may go. */
  close(): void {
    this.#closed = true;
  }
}
