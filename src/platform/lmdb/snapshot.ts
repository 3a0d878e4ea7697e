/** A group as of one commit, read piece by piece while later commits happen. */
import { assert } from "../../core/assert.js";
import type { Bytes } from "../../core/bytes.js";
import type { Clock } from "../../ports/clock.js";
import type { AppliedState, GroupSnapshot } from "../../ports/storage-engine.js";
import { PieceWriter } from "../../storage/pieces.js";
import { TurnSlices } from "../../storage/turn-slices.js";
import type { HeldRead } from "./binding.js";
import type { GroupRecord } from "./layout.js";
import type { Reader, TreeCursor } from "./reader.js";

const WHOLE_TREE = { start: "", exclusive: false, end: undefined };
/** Records between two looks at the clock. */
const RECORDS_A_LOOK = 64;

export class LmdbSnapshot implements GroupSnapshot {
  readonly applied: AppliedState;
  readonly #clock: Clock;
  /** By table number: not yet read to their end. */
  readonly #cursors: readonly TreeCursor[];
  readonly #held: HeldRead;
  #table = 0;
  #released = false;

  /** Takes over `held`. */
  constructor(reader: Reader, clock: Clock, record: GroupRecord, held: HeldRead) {
    this.applied = record.applied;
    this.#clock = clock;
    this.#held = held;
    this.#cursors = record.trees.map(({ tree }) => reader.cursor(tree, WHOLE_TREE, held));
  }

  async next(sizeBytes: number): Promise<Bytes | undefined> {
    const slices = new TurnSlices(this.#clock);
    const piece = new PieceWriter(sizeBytes);
    let records = 0;
    while (this.#table < this.#cursors.length) {
      assert(!this.#released, "a released snapshot is not read");
      const cursor = this.#cursors[this.#table];
      const key = cursor.key;
      if (key === undefined) {
        this.#table += 1;
        continue;
      }
      const value = cursor.value;
      if (!piece.fits(key, value)) return piece.finish();
      piece.add(this.#table, key, value);
      cursor.advance();
      records += 1;
      if (records % RECORDS_A_LOOK === 0 && slices.isDue()) await slices.pause();
    }
    return piece.isEmpty ? undefined : piece.finish();
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const cursor of this.#cursors) cursor.close();
    this.#held.done();
  }
}
