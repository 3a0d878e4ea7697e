/**
 * Gives memory back, at a time and at a pace that disturb nobody.
 *
 * A leaf that was replaced or deleted stays as it is until the turn ends, and until all has been done that was
 * asked for then (a round of `Clock.atTurnEnd`): somebody may still be reading the value that it holds, or
 * sending it in what they do at the turn's end. Nodes and leaves then go in slices of about two milliseconds,
 * which whole trees need (a cleared table, an installed snapshot's predecessor) and what a long snapshot kept
 * alive.
 */
import type { Clock } from "../../ports/clock.js";
import { type Arena, PAGE_SHIFT, UNIT_MASK } from "./arena.js";
import type { Leaves } from "./leaf.js";
import { childAt, END_WORD, NODE_BYTES, nextPosition, POSITION_END, typeOf } from "./nodes.js";

const SLICE_MS = 2;
const RECORDS_A_LOOK = 256;

export class Recycler {
  readonly #arena: Arena;
  readonly #leaves: Leaves;
  readonly #clock: Clock;
  /** Leaves and nodes to be freed one by one, and such to be freed with everything below: since the last round. */
  #newRecords: number[] = [];
  #newLists: number[][] = [];
  #newTrees: number[] = [];
  /** The same, to be freed now; records in lists as they came. */
  readonly #dueRecords: number[][] = [];
  #dueTrees: number[] = [];
  #scheduled = false;

  constructor(arena: Arena, leaves: Leaves, clock: Clock) {
    this.#arena = arena;
    this.#leaves = leaves;
    this.#clock = clock;
  }

  /** Frees one leaf or node, after the next round. */
  addRecord(reference: number): void {
    this.#newRecords.push(reference);
    if (!this.#scheduled) this.#schedule();
  }

  /** Frees leaves and nodes, after the next round; keeps the list. */
  addRecords(references: number[]): void {
    if (references.length === 0) return;
    this.#newLists.push(references);
    if (!this.#scheduled) this.#schedule();
  }

  /** Frees a leaf or node and everything below it, after the next round. */
  addTree(reference: number): void {
    if (reference === 0) return;
    this.#newTrees.push(reference);
    if (!this.#scheduled) this.#schedule();
  }

  /** Frees a node that nobody else sees, at once. */
  freeNode(node: number): void {
    const words = this.#arena.words[node >>> PAGE_SHIFT];
    this.#arena.free(node, NODE_BYTES[typeOf(words, (node & UNIT_MASK) << 1)]);
  }

  #schedule(): void {
    this.#scheduled = true;
    this.#clock.atTurnEnd(() => {
      this.#scheduled = false;
      this.#runSlice();
      this.#takeNew();
      if (this.#dueRecords.length + this.#dueTrees.length > 0) this.#schedule();
    });
  }

  /** What came until now is due in the next round. */
  #takeNew(): void {
    if (this.#newRecords.length > 0) this.#dueRecords.push(this.#newRecords);
    this.#newRecords = [];
    this.#dueRecords.push(...this.#newLists);
    this.#newLists = [];
    for (const tree of this.#newTrees) this.#dueTrees.push(tree);
    this.#newTrees = [];
  }

  #runSlice(): void {
    const endMs = this.#clock.monotonicMs() + SLICE_MS;
    for (let done = 1; this.#freeOne(); done += 1) {
      if (done % RECORDS_A_LOOK === 0 && this.#clock.monotonicMs() >= endMs) return;
    }
  }

  /** False when nothing is due. */
  #freeOne(): boolean {
    const records = this.#dueRecords.at(-1);
    if (records !== undefined) {
      const record = records.pop();
      if (record === undefined) this.#dueRecords.pop();
      else this.#free(record);
      return true;
    }
    const root = this.#dueTrees.pop();
    if (root === undefined) return false;
    // Its children become roots.
    if (root > 0) this.#addChildren(root);
    this.#free(root);
    return true;
  }

  #addChildren(reference: number): void {
    const words = this.#arena.words[reference >>> PAGE_SHIFT];
    const bytes = this.#arena.bytes[reference >>> PAGE_SHIFT];
    const node = (reference & UNIT_MASK) << 1;
    if (words[node + END_WORD] !== 0) this.#dueTrees.push(words[node + END_WORD]);
    let position = nextPosition(words, bytes, node, 0);
    while (position < POSITION_END) {
      this.#dueTrees.push(childAt(words, bytes, node, position));
      position = nextPosition(words, bytes, node, position + 1);
    }
  }

  #free(reference: number): void {
    if (reference < 0) this.#leaves.free(reference);
    else this.freeNode(reference);
  }
}
