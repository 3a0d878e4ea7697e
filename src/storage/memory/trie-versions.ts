/**
 * Which versions of a trie somebody still reads, and what may be given back when.
 *
 * Time is counted in epochs; taking a snapshot ends one. A record created in epoch c and replaced in epoch r is
 * seen by the snapshots of the epochs c ≤ s < r and by no other. So a record may be changed in place when it is
 * younger than the newest snapshot, and a replaced one is freed when no snapshot is left in its range.
 */
import { assert } from "../../core/assert.js";
import { EPOCH_MAX } from "./leaf.js";
import type { Recycler } from "./recycler.js";

export class TrieVersions {
  readonly #recycler: Recycler;
  /** Epochs of live snapshots, ascending. */
  #live: number[] = [];
  #epoch = 1;
  #newestSnapshot = 0;
  /** Replaced records that a snapshot may see, with the epochs they were created and replaced in. */
  #records: number[] = [];
  #created: number[] = [];
  #replaced: number[] = [];
  /** Roots of trees replaced as a whole: reference, replaced. */
  #trees: number[] = [];

  constructor(recycler: Recycler) {
    this.#recycler = recycler;
  }

  /** For records created now. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether a snapshot sees a record that was created in `epoch` and is still in place. */
  isShared(epoch: number): boolean {
    return epoch <= this.#newestSnapshot;
  }

  /** The trie no longer has this node. */
  retireNode(node: number, created: number): void {
    if (this.isShared(created)) this.#keep(node, created, this.#epoch);
    else this.#recycler.freeNode(node);
  }

  /** The trie no longer has this leaf. */
  retireLeaf(leaf: number, created: number): void {
    if (this.isShared(created)) this.#keep(leaf, created, this.#epoch);
    else this.#recycler.addRecord(leaf);
  }

  /** The trie no longer has anything below this reference. */
  retireTree(root: number): void {
    if (this.#live.length > 0) this.#trees.push(root, this.#epoch);
    else this.#recycler.addTree(root);
  }

  /** Keeps the present version as it is. Returns its epoch, for `release`. */
  hold(): number {
    assert(this.#epoch < EPOCH_MAX, "a trie lives for fewer than 2^26 snapshots");
    const epoch = this.#epoch;
    this.#epoch += 1;
    this.#live.push(epoch);
    this.#newestSnapshot = epoch;
    return epoch;
  }

  release(epoch: number): void {
    const at = this.#live.indexOf(epoch);
    assert(at >= 0, "a snapshot is released once");
    this.#live.splice(at, 1);
    this.#newestSnapshot = this.#live.at(-1) ?? 0;
    this.#recycleRecords();
    this.#recycleTrees();
  }

  #keep(record: number, created: number, replaced: number): void {
    this.#records.push(record);
    this.#created.push(created);
    this.#replaced.push(replaced);
  }

  #recycleRecords(): void {
    const records = this.#records;
    const created = this.#created;
    const replaced = this.#replaced;
    this.#records = [];
    this.#created = [];
    this.#replaced = [];
    if (this.#live.length === 0) {
      // The usual case, and there may be a million of them.
      this.#recycler.addRecords(records);
      return;
    }
    for (let i = 0; i < records.length; i += 1) {
      if (this.#isSeen(created[i], replaced[i])) this.#keep(records[i], created[i], replaced[i]);
      else this.#recycler.addRecord(records[i]);
    }
  }

  #recycleTrees(): void {
    const trees = this.#trees;
    this.#trees = [];
    for (let i = 0; i < trees.length; i += 2) {
      if (this.#isSeen(0, trees[i + 1])) this.#trees.push(trees[i], trees[i + 1]);
      else this.#recycler.addTree(trees[i]);
    }
  }

  #isSeen(created: number, replaced: number): boolean {
    return this.#live.some((snapshot) => created <= snapshot && snapshot < replaced);
  }
}
