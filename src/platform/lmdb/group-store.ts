/** One group on the disk engine. */
import type { AppliedState } from "../../ports/storage-engine.js";
import { EngineGroup } from "../../storage/engine-group.js";
import type { HeldRead } from "./binding.js";
import type { TreeState } from "./layout.js";
import type { LmdbTable } from "./table.js";

/** What a checkpoint has to save of one group. */
export interface FrozenGroup {
  readonly store: LmdbGroupStore;
  readonly applied: AppliedState;
  /** About how many pages it changes. */
  readonly pages: number;
}

export class LmdbGroupStore extends EngineGroup<LmdbTable> {
  /** Whether the group has a record on disk. */
  get isOnDisk(): boolean {
    return this.durable !== undefined;
  }

  /**
   * Sets the writes so far aside. Returns what has to be saved, or undefined when nothing has changed since
   * the last checkpoint.
   */
  freeze(): FrozenGroup | undefined {
    const applied = this.capture();
    let pages = 0;
    for (const table of this.tables) pages += table.freeze();
    if (pages === 0 && this.isDurable(applied)) return undefined;
    return { store: this, applied, pages };
  }

  /** Reads of the trees see `held`, so that a commit under way is not counted twice; undefined ends that. */
  pin(held: HeldRead | undefined): void {
    for (const table of this.tables) table.pin(held);
  }

  /** The frozen writes are on disk, up to `applied`. */
  settle(applied: AppliedState, trees: readonly TreeState[]): void {
    this.setDurable(applied);
    this.tables.forEach((table, i) => table.settle(trees[i]));
  }

  /** An installed snapshot is on disk and replaces everything. */
  replaceContent(applied: AppliedState, trees: readonly TreeState[]): void {
    this.setDurable(applied);
    this.tables.forEach((table, i) => table.replaceContent(trees[i]));
  }
}
