/**
 * One group's log on one disk as its observer has seen it: terms by index, hard state, configurations. Entries'
 * bytes are not kept.
 */
import { decodeConfiguration } from "../../src/codec/raft-entry.js";
import type { Configuration, Entry, HardState, SnapshotMeta } from "../../src/codec/raft-types.js";
import type { LogAppend, RecoveredGroup } from "../../src/storage/log/types.js";

const NO_CONFIGURATION: Configuration = { voters: [], votersOutgoing: [], learners: [] };

export class LogShadow {
  term = 0;
  vote = 0;
  commit = 0;
  /** Up to here what is committed has been compared with the other replicas. */
  comparedUpTo = 0;
  /** What the log starts after. */
  snapshotIndex = 0;
  snapshotTerm = 0;
  /** As of the latest entry or snapshot that has one. */
  configuration = NO_CONFIGURATION;
  /** The one before. */
  previousConfiguration = NO_CONFIGURATION;
  #terms: number[] = [];

  static of({ hardState, snapshot, entries }: RecoveredGroup): LogShadow {
    const shadow = new LogShadow();
    shadow.startAt(snapshot);
    shadow.setHardState(hardState);
    shadow.addEntries(entries);
    return shadow;
  }

  get lastIndex(): number {
    return this.snapshotIndex + this.#terms.length;
  }

  /** Undefined where the log does not tell. */
  termAt(index: number): number | undefined {
    if (index === this.snapshotIndex) return this.snapshotTerm;
    return this.#terms[index - this.snapshotIndex - 1];
  }

  add({ hardState, snapshot, entries }: LogAppend): void {
    if (snapshot !== undefined) this.startAt(snapshot);
    if (hardState !== undefined) this.setHardState(hardState);
    this.addEntries(entries);
  }

  setHardState({ term, vote, commit }: HardState): void {
    this.term = term;
    this.vote = vote;
    this.commit = Math.max(this.commit, commit);
  }

  addEntries(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    this.#terms.length = Math.max(0, entries[0].index - this.snapshotIndex - 1);
    for (const { index, term, kind, data } of entries) {
      if (index <= this.snapshotIndex) continue;
      this.#terms.push(term);
      if (kind === "config") this.#configure(decodeConfiguration(data));
    }
  }

  /** The members that the group began with, when the log names none. */
  beginWith(configuration: Configuration): void {
    this.#configure(configuration);
  }

  /** A snapshot has replaced the log. */
  startAt({ index, term, configuration }: SnapshotMeta): void {
    this.#terms = [];
    this.snapshotIndex = index;
    this.snapshotTerm = term;
    this.#configure(configuration);
  }

  /** The entries up to `snapshot` are no longer kept. */
  compact({ index, term, configuration }: SnapshotMeta): void {
    if (index <= this.snapshotIndex) return;
    this.#terms.splice(0, index - this.snapshotIndex);
    this.snapshotIndex = index;
    this.snapshotTerm = term;
    if (this.configuration.voters.length === 0) this.#configure(configuration);
  }

  #configure(configuration: Configuration): void {
    if (configuration.voters.length === 0) return;
    this.previousConfiguration = this.configuration;
    this.configuration = configuration;
  }
}
