/** A group as of one commit, read piece by piece while later commits happen. */
import type { Bytes } from "../../core/bytes.js";
import type { Clock } from "../../ports/clock.js";
import type { AppliedState, GroupSnapshot } from "../../ports/storage-engine.js";
import { PieceStream } from "../../storage/piece-stream.js";
import type { HeldRead } from "./binding.js";
import type { GroupRecord } from "./layout.js";
import type { Reader, TreeCursor } from "./reader.js";

const WHOLE_TREE = { start: "", exclusive: false, end: undefined };

export class LmdbSnapshot implements GroupSnapshot {
  readonly applied: AppliedState;
  readonly #cursors: readonly TreeCursor[];
  readonly #pieces: PieceStream;
  readonly #held: HeldRead;
  #released = false;

  /** Takes over `held`. */
  constructor(reader: Reader, clock: Clock, record: GroupRecord, held: HeldRead) {
    this.applied = record.applied;
    this.#held = held;
    this.#cursors = record.trees.map(({ tree }) => reader.cursor(tree, WHOLE_TREE, held));
    this.#pieces = new PieceStream(clock, this.#cursors);
  }

  next(sizeBytes: number): Promise<Bytes | undefined> {
    return this.#pieces.next(sizeBytes);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#pieces.close();
    for (const cursor of this.#cursors) cursor.close();
    this.#held.done();
  }
}
