/**
 * From records back to groups, in two walks over the log: the first (`LedgerReplay`) checks everything and
 * learns which entries still count and where they lie, the second (`EntryLoader`) takes exactly those. Memory
 * follows the entries that count, not the log's length.
 */
import { ByteReader } from "../../codec/byte-reader.js";
import { readEntries, readHardState, readSnapshotMeta } from "../../codec/raft-entry.js";
import type { Entry } from "../../codec/raft-types.js";
import { AssertionFailure } from "../../core/assert.js";
import { allocOwnBytes, type Bytes, copyBytes, EMPTY_BYTES } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { GroupId } from "../../core/ids.js";
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
import { type GroupRecord, type Ledger, UNSEEN_SEGMENT } from "./ledger.js";
import type { UnitVisitor } from "./scan.js";
import type { SegmentReader } from "./segment-reader.js";

/** Rebuilds the ledger. A record that does not fit what came before is damage, whatever its checksum says. */
export class LedgerReplay implements UnitVisitor, RecordVisitor {
  records = 0;
  readonly #ledger: Ledger;
  #segment = 0;
  #firstSegment = 0;
  #opening = false;

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
        this.#ledger.append(group, readEntries(payload), this.#segment);
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
export class EntryLoader implements UnitVisitor, RecordVisitor {
  readonly #ledger: Ledger;
  readonly #entries = new Map<GroupId, Entry[]>();
  readonly #arena = new Arena();
  #segment = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  entriesOf(group: GroupId): readonly Entry[] {
    return this.#entries.get(group) ?? [];
  }

  onUnit(reader: SegmentReader, unitAt: number, header: UnitHeader): void {
    this.#segment = reader.segment;
    visitRecords(reader.bytes, unitAt, header.records, this);
  }

  onRecord(bytes: Bytes, group: GroupId, kind: number, payloadAt: number, payloadEnd: number): void {
    if (kind !== RECORD_ENTRIES) return;
    const record = this.#ledger.groups.get(group);
    const range = record === undefined ? undefined : rangeIn(record, this.#segment);
    if (record === undefined || range === undefined) return;
    const kept = this.#kept(group);
    const before = record.snapshot.index + 1;
    for (const entry of readEntries(recordReader(bytes, payloadAt, payloadEnd))) {
      if (entry.index < range.first || entry.index > range.last) continue;
      const at = entry.index - before;
      // Of several entries with one index the last written counts, and it was written after the one before it;
      // so an entry whose predecessor has not come yet was replaced later.
      if (at <= kept.length) kept[at] = { ...entry, data: this.#arena.keep(entry.data) };
    }
  }

  #kept(group: GroupId): Entry[] {
    const known = this.#entries.get(group);
    if (known !== undefined) return known;
    const created: Entry[] = [];
    this.#entries.set(group, created);
    return created;
  }
}

const CHUNK_BYTES = 256 * 1024;
const OWN_BYTES_MIN = 32 * 1024;

/** Packs what is kept into chunks: a buffer of its own costs a small entry more than its data. */
class Arena {
  #chunk: Bytes = EMPTY_BYTES;
  #used = 0;

  keep(data: Bytes): Bytes {
    const { length } = data;
    if (length === 0) return EMPTY_BYTES;
    if (length >= OWN_BYTES_MIN) return copyBytes(data);
    if (length > this.#chunk.length - this.#used) {
      this.#chunk = allocOwnBytes(CHUNK_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    data.copy(this.#chunk, start);
    return this.#chunk.subarray(start, start + length);
  }
}

function rangeIn({ runs }: GroupRecord, segment: number): { first: number; last: number } | undefined {
  let first = 0;
  let last = 0;
  for (const run of runs) {
    if (run.segment !== segment) continue;
    if (first === 0) first = run.first;
    last = run.last;
  }
  return first === 0 ? undefined : { first, last };
}

function recordReader(bytes: Bytes, start: number, end: number): ByteReader {
  return new ByteReader(bytes, "log record", "DATA_CORRUPT", start, end);
}
