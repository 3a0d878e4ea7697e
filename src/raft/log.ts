/**
 * The log of one replica, in memory: every entry after the last compaction, durable or not.
 *
 *   startIndex          firstIndex = startIndex + 1                         lastIndex
 *   ┌──────────────────┬──────────────────────────────────────────────────┬───────────┐
 *   │ compacted: only  │ entries, consecutive, terms never falling        │           │
 *   │ index and term   │                                                  │           │
 *   └──────────────────┴──────────────────────────────────────────────────┴───────────┘
 *
 * Source: dissertation §3.5 (log matching, up-to-date check §3.6.1), §5.1 (compaction).
 */
import type { Entry, SnapshotMeta } from "../codec/raft-types.js";
import { assert } from "../core/assert.js";
import { type LogIndex, logIndex, type Term, term } from "../core/ids.js";

const NO_TERM: Term = term(0);
const NO_ENTRIES: readonly Entry[] = [];

export class RaftLog {
  #startIndex: LogIndex;
  #startTerm: Term;
  readonly #entries: Entry[] = [];
  /** Of the data of all entries held. */
  #bytes = 0;

  /** A log that starts after `start.index`, with these consecutive entries. */
  constructor(start: SnapshotMeta, entries: readonly Entry[]) {
    this.#startIndex = start.index;
    this.#startTerm = start.term;
    for (const entry of entries) this.append(entry);
  }

  /** The last index that is no longer held: 0 for a whole log. */
  get startIndex(): LogIndex {
    return this.#startIndex;
  }

  get firstIndex(): LogIndex {
    return logIndex(this.#startIndex + 1);
  }

  get lastIndex(): LogIndex {
    return logIndex(this.#startIndex + this.#entries.length);
  }

  get lastTerm(): Term {
    return this.#entries.length === 0 ? this.#startTerm : this.#entries[this.#entries.length - 1].term;
  }

  /** Undefined for an index that was compacted away or does not exist yet. */
  termAt(index: LogIndex): Term | undefined {
    const offset = index - this.#startIndex;
    if (offset === 0) return this.#startTerm;
    if (offset < 0 || offset > this.#entries.length) return undefined;
    return this.#entries[offset - 1].term;
  }

  /** The entry at `index`, which must be held. */
  at(index: LogIndex): Entry {
    const offset = index - this.#startIndex;
    assert(offset > 0 && offset <= this.#entries.length, "entry % is not in the log", index);
    return this.#entries[offset - 1];
  }

  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, "entry % does not follow %", entry.index, this.lastIndex);
    assert(entry.term >= this.lastTerm, "term % at % is below %", entry.term, entry.index, this.lastTerm);
    this.#entries.push(entry);
    this.#bytes += entry.data.length;
  }

  /** Removes `index` and everything after it. */
  truncateFrom(index: LogIndex): void {
    assert(index > this.#startIndex, "truncation at %, before the log's start", index);
    this.#bytes -= this.bytesBetween(index, this.lastIndex);
    this.#entries.length = index - this.#startIndex - 1;
  }

  /** Entries `from` to `to`, both included; none when `from` is past `to`. */
  slice(from: LogIndex, to: LogIndex): readonly Entry[] {
    if (from > to) return NO_ENTRIES;
    assert(from > this.#startIndex, "entry % was compacted away", from);
    return this.#entries.slice(from - this.#startIndex - 1, to - this.#startIndex);
  }

  /** Entries from `from` on: at least one if there is one, and not more than `bytesMax` of data otherwise. */
  sliceBytes(from: LogIndex, bytesMax: number): readonly Entry[] {
    let to: LogIndex = from;
    let bytes = 0;
    while (to <= this.lastIndex) {
      bytes += this.at(to).data.length;
      if (bytes > bytesMax && to > from) break;
      to = logIndex(to + 1);
    }
    return this.slice(from, logIndex(to - 1));
  }

  /** Bytes of data in entries `from` to `to`, both included. */
  bytesBetween(from: LogIndex, to: LogIndex): number {
    let bytes = 0;
    for (let i = from; i <= to; i = logIndex(i + 1)) bytes += this.at(i).data.length;
    return bytes;
  }

  /** The last index after which at least `bytes` of data are held; the log's start when there is none. */
  indexBefore(bytes: number): LogIndex {
    let after = this.#bytes;
    let offset = 0;
    while (offset < this.#entries.length && after - this.#entries[offset].data.length >= bytes) {
      after -= this.#entries[offset].data.length;
      offset += 1;
    }
    return logIndex(this.#startIndex + offset);
  }

  /** Is a log that ends thus at least as complete as this one? (§3.6.1) */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
  }

  /**
   * The largest index up to `index` whose term is not above `maxTerm`: two logs of which one has `maxTerm` at
   * or before `index` cannot agree after it (§3.5, fast back-tracking). Never before the log's start.
   */
  findAgreement(index: LogIndex, maxTerm: Term): LogIndex {
    let candidate = logIndex(Math.min(index, this.lastIndex));
    while (candidate > this.#startIndex && (this.termAt(candidate) ?? NO_TERM) > maxTerm) {
      candidate = logIndex(candidate - 1);
    }
    return candidate;
  }

  /** Drops everything up to `index`, which must be in the log. */
  compact(index: LogIndex): void {
    if (index <= this.#startIndex) return;
    const newStartTerm = this.termAt(index);
    assert(newStartTerm !== undefined, "compaction at %, past the end %", index, this.lastIndex);
    this.#bytes -= this.bytesBetween(this.firstIndex, index);
    this.#entries.splice(0, index - this.#startIndex);
    this.#startIndex = index;
    this.#startTerm = newStartTerm;
  }

  /** Replaces everything by a snapshot: the log is then empty and starts after it. */
  restore(meta: SnapshotMeta): void {
    this.#entries.length = 0;
    this.#bytes = 0;
    this.#startIndex = meta.index;
    this.#startTerm = meta.term;
  }
}
