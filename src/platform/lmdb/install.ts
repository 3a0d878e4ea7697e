/**
 * Builds new trees for a group out of snapshot pieces, then names them in the group's record in one
 * transaction. Until then they are marked as garbage, so that a crash leaves the old content and no rest.
 */
import { assert } from "../../core/assert.js";
import { type Bytes, copyInto } from "../../core/bytes.js";
import type { Clock } from "../../ports/clock.js";
import type { AppliedState, GroupInstall } from "../../ports/storage-engine.js";
import type { BlockPool } from "../../storage/overlay/block-pool.js";
import { Records } from "../../storage/overlay/records.js";
import { PieceReader } from "../../storage/pieces.js";
import { TurnSlices } from "../../storage/turn-slices.js";
import type { TreeState } from "./layout.js";
import type { Writer } from "./writer.js";

/** What an installation asks of its engine. */
export interface InstallHost {
  /** Names `trees` as the group's content, in place of what it has. */
  commitInstall(applied: AppliedState, trees: readonly TreeState[], marked: boolean): Promise<void>;
  /** The trees are garbage, already marked as such. */
  abandonTrees(trees: readonly TreeState[]): void;
}

const RECORDS_A_LOOK = 64;

export class LmdbInstall implements GroupInstall {
  readonly #host: InstallHost;
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #pool: BlockPool;
  #trees: readonly TreeState[];
  #marked = false;
  #ended = false;

  constructor(
    host: InstallHost,
    writer: Writer,
    clock: Clock,
    pool: BlockPool,
    emptyTrees: readonly TreeState[],
  ) {
    this.#host = host;
    this.#pool = pool;
    this.#writer = writer;
    this.#clock = clock;
    this.#trees = emptyTrees;
  }

  async write(piece: Bytes): Promise<void> {
    assert(!this.#ended, "an installation that has ended takes no piece");
    const tables = await this.#readPiece(piece);
    const job = this.#writer.newJob();
    for (const [i, { blocks }] of tables.entries()) this.#writer.sendBlocks(job, this.#trees[i].tree, blocks);
    const { deltas } = await this.#writer.commit({
      job,
      groups: [],
      removedGroups: [],
      discarded: this.#marked ? [] : this.#trees.map(({ tree }) => tree),
      adopted: [],
    });
    for (const table of tables) table.release();
    this.#marked = true;
    this.#trees = this.#trees.map(({ tree, count }) => ({ tree, count: count + (deltas.get(tree) ?? 0) }));
  }

  async commit(applied: AppliedState): Promise<void> {
    assert(!this.#ended, "an installation ends once");
    this.#ended = true;
    await this.#host.commitInstall(applied, this.#trees, this.#marked);
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#marked) this.#host.abandonTrees(this.#trees);
  }

  /** The whole piece is looked at before anything of it is sent. */
  async #readPiece(piece: Bytes): Promise<Records[]> {
    const slices = new TurnSlices(this.#clock);
    const tables = this.#trees.map(() => new Records(this.#pool));
    const reader = new PieceReader(piece);
    let records = 0;
    while (reader.advance()) {
      const { key, valueStart, valueEnd } = reader;
      const table = tables[reader.table];
      const sizeBytes = valueEnd - valueStart;
      const room = table.reserve(table.add(key, sizeBytes, 0), sizeBytes);
      copyInto(room.bytes, room.start, piece, valueStart, valueEnd);
      records += 1;
      if (records % RECORDS_A_LOOK === 0 && slices.isDue()) await slices.pause();
    }
    return tables;
  }
}
