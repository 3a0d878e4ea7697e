/**
 * From records back to groups, in two walks over the log: the first (`LedgerReplay`) checks everything and
 * learns which entries still count and where they lie, the second (`EntryLoader`) takes exactly those. Memory
 * follows the entries that count, not the log's length.
 */
import { ByteReader } from "../../codec/byte-reader.js";
import { type EntryVisitor, readHardState, readSnapshotMeta, visitEntries } from "../../codec/raft-entry.js";
import type { Entry, EntryKind } from "../../codec/raft-types.js";
import { AssertionFailure } from "../../core/assert.js";
import { allocOwnBytes, type Bytes, copyBytes, EMPTY_BYTES } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { type GroupId, groupId, type LogIndex, type Term } from "../../core/ids.js";
import { corrupt } from "./failures.js";
import {
  BLOCK_BYTES,
  RECORD_COMPACTED,
  RECORD_DROPPED,
  RECORD_ENTRIES,
  RECORD_HARD_STATE,
  RECORD_REPLACED,
  RECORD_RESTATED,
  type RecordVisitor,
  type UnitHeader,
  visitRecords,
} from "./format.js";
import { type Ledger, UNSEEN_SEGMENT } from "./ledger.js";
import type { UnitVisitor } from "./scan.js";
import type { SegmentReader } from "./segment-reader.js";

const NO_GROUP = groupId(-1);

/** Rebuilds the ledger. A record that does not fit what came before is damage, whatever its checksum says. */
export class LedgerReplay implements UnitVisitor, RecordVisitor, EntryVisitor {
  records = 0;
  readonly #ledger: Ledger;
  #segment = 0;
  #firstSegment = 0;
  #opening = false;
  #group = NO_GROUP;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  onUnit(reader: SegmentReader, unitAt: number, header: UnitHeader): void {
    this.#segment = reader.segment;
    if (this.#firstSegment === 0) this.#firstSegment = reader.segment;
    this.#opening = header.offsetBytes === BLOCK_BYTES;
    this.records += header.records;
    try {
      if (this.#opening && this.#segment !== this.#firstSegment) this.#requireAllRestated(header);
      visitRecords(reader.bytes, unitAt, header.records, this);
    } catch (error) {
      if (!(error instanceof MinikeyError || error instanceof AssertionFailure)) throw error;
      throw corrupt(reader.path, header.offsetBytes, `unit ${header.sequence}: ${error.message}`);
    }
  }

  onRecord(bytes: Bytes, group: GroupId, kind: number, payloadAt: number, payloadEnd: number): void {
    const payload = recordReader(bytes, payloadAt, payloadEnd);
    if (this.#opening !== (kind === RECORD_RESTATED)) throw payload.error(`record kind ${kind} out of place`);
    switch (kind) {
      case RECORD_HARD_STATE:
        this.#ledger.setHardState(group, readHardState(payload));
        break;
      case RECORD_ENTRIES:
        this.#group = group;
        visitEntries(payload, this);
        break;
      case RECORD_COMPACTED:
        this.#ledger.startAfter(group, readSnapshotMeta(payload));
        break;
      case RECORD_REPLACED:
        this.#ledger.replace(group, readSnapshotMeta(payload));
        break;
      case RECORD_DROPPED:
        this.#ledger.drop(group);
        break;
      case RECORD_RESTATED:
        this.#restate(group, payload);
        break;
      default:
        throw payload.error(`unknown record kind ${kind}`);
    }
    payload.expectEnd();
  }

  onEntry(index: LogIndex, term: Term): void {
    this.#ledger.appendOne(this.#group, index, term, this.#segment);
  }

  /** The first segment's word is taken; a later one's must agree with what the segments before have shown. */
  #restate(group: GroupId, payload: ByteReader): void {
    const hardState = readHardState(payload);
    const lastIndex = payload.u48();
    const snapshot = readSnapshotMeta(payload);
    if (this.#segment === this.#firstSegment) {
      this.#ledger.restate(group, hardState, lastIndex, snapshot);
      return;
    }
    const known = this.#ledger.groups.get(group);
    const agrees =
      known !== undefined &&
      known.lastIndex === lastIndex &&
      known.snapshot.index === snapshot.index &&
      known.snapshot.term === snapshot.term &&
      known.hardState.term === hardState.term &&
      known.hardState.vote === hardState.vote &&
      known.hardState.commit === hardState.commit;
    if (!agrees) throw payload.error(`group ${group} is not as the records before say`);
  }

  #requireAllRestated(header: UnitHeader): void {
    const { size } = this.#ledger.groups;
    if (header.records === size) return;
    throw new MinikeyError("DATA_CORRUPT", `it restates ${header.records} groups of ${size}`);
  }
}

/** Entries that segments before the first one held, and that no record has made needless. */
export function findMissingEntries(
  ledger: Ledger,
): { group: GroupId; first: number; last: number } | undefined {
  if (!ledger.hasRuns(UNSEEN_SEGMENT)) return undefined;
  for (const [group, { runs }] of ledger.groups) {
    const run = runs.at(0);
    if (run?.segment === UNSEEN_SEGMENT) return { group, first: run.first, last: run.last };
  }
  return undefined;
}

/** Collects the entries that count, one segment after the other. */
export class EntryLoader implements UnitVisitor, RecordVisitor, EntryVisitor {
  readonly #ledger: Ledger;
  readonly #entries = new Map<GroupId, Entry[]>();
  readonly #arena = new Arena();
  #segment = 0;
  /** The group whose record is being read: the entries of it that count in this segment, and those kept. */
  #group = NO_GROUP;
  #first = 0;
  #last = 0;
  #start = 0;
  #kept: Entry[] = [];
  #bytes = EMPTY_BYTES;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  entriesOf(group: GroupId): readonly Entry[] {
    return this.#entries.get(group) ?? [];
  }

  onUnit(reader: SegmentReader, unitAt: number, header: UnitHeader): void {
    if (this.#segment !== reader.segment) this.#group = NO_GROUP;
    this.#segment = reader.segment;
    visitRecords(reader.bytes, unitAt, header.records, this);
  }

  onRecord(bytes: Bytes, group: GroupId, kind: number, payloadAt: number, payloadEnd: number): void {
    if (kind !== RECORD_ENTRIES) return;
    if (group !== this.#group) this.#selectGroup(group);
    if (this.#first === 0) return;
    this.#bytes = bytes;
    visitEntries(recordReader(bytes, payloadAt, payloadEnd), this);
  }

  onEntry(index: LogIndex, term: Term, kind: EntryKind, dataAt: number, dataEnd: number): void {
    if (index < this.#first || index > this.#last) return;
    const at = index - this.#start;
    // Of several entries with one index the last written counts, and it was written after the one before it;
    // so an entry whose predecessor has not come yet was replaced later.
    if (at > this.#kept.length) return;
    this.#kept[at] = { index, term, kind, data: this.#arena.keep(this.#bytes, dataAt, dataEnd) };
  }

  #selectGroup(group: GroupId): void {
    this.#group = group;
    this.#first = 0;
    const record = this.#ledger.groups.get(group);
    const runs = record?.runs.filter(({ segment }) => segment === this.#segment) ?? [];
    if (record === undefined || runs.length === 0) return;
    this.#first = runs[0].first;
    this.#last = runs[runs.length - 1].last;
    this.#start = record.snapshot.index + 1;
    const known = this.#entries.get(group);
    this.#kept = known ?? [];
    if (known === undefined) this.#entries.set(group, this.#kept);
  }
}

const CHUNK_BYTES = 256 * 1024;
const OWN_BYTES_MIN = 32 * 1024;

/** Packs what is kept into chunks: a buffer of its own costs a small entry more than its data. */
class Arena {
  #chunk: Bytes = EMPTY_BYTES;
  #used = 0;

  keep(source: Bytes, from: number, to: number): Bytes {
    const length = to - from;
    if (length === 0) return EMPTY_BYTES;
    if (length >= OWN_BYTES_MIN) return copyBytes(source, from, to);
    if (length > this.#chunk.length - this.#used) {
      this.#chunk = allocOwnBytes(CHUNK_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    source.copy(this.#chunk, start, from, to);
    return this.#chunk.subarray(start, start + length);
  }
}

function recordReader(bytes: Bytes, start: number, end: number): ByteReader {
  return new ByteReader(bytes, "log record", "DATA_CORRUPT", start, end);
}
