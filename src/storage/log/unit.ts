/**
 * One unit of the log under construction: records are encoded into one buffer, which is used again for the
 * next unit. The layout is drawn in `format.ts`.
 */
import { ByteWriter } from "../../codec/byte-writer.js";
import { writeEntriesHeader, writeHardState, writeSnapshotMeta } from "../../codec/raft-entry.js";
import type { Entry, HardState, SnapshotMeta } from "../../codec/raft-types.js";
import type { Bytes } from "../../core/bytes.js";
import type { GroupId } from "../../core/ids.js";
import {
  RECORD_COMPACTED,
  RECORD_DROPPED,
  RECORD_ENTRIES,
  RECORD_HARD_STATE,
  RECORD_HEADER_BYTES,
  RECORD_REPLACED,
  RECORD_RESTATED,
  recordChecksum,
  roundUpToBlock,
  UNIT_HEADER_BYTES,
  type UnitPlace,
  writeUnitHeader,
} from "./format.js";

/** A buffer beyond this is let go after use: one burst must not hold memory for ever. */
const KEPT_BUFFER_BYTES = 4 * 1024 * 1024;

export class Unit {
  #writer: ByteWriter;
  #salt = 0;
  #records = 0;

  constructor(initialBytes: number) {
    this.#writer = new ByteWriter(initialBytes);
  }

  get records(): number {
    return this.#records;
  }

  /** With header and records, without the last block's filling. */
  get lengthBytes(): number {
    return this.#writer.length;
  }

  /** Starts over. No two units of a log may have the same `salt`. */
  begin(salt: number): void {
    if (this.#writer.bytes.length > KEPT_BUFFER_BYTES) this.#writer = new ByteWriter();
    this.#writer.clear();
    this.#writer.reserve(UNIT_HEADER_BYTES);
    this.#salt = salt;
    this.#records = 0;
  }

  addHardState(group: GroupId, state: HardState): void {
    const at = this.#beginRecord(group, RECORD_HARD_STATE);
    writeHardState(state, this.#writer);
    this.#endRecord(at);
  }

  addEntries(group: GroupId, entries: readonly Entry[]): void {
    const at = this.#beginRecord(group, RECORD_ENTRIES);
    const writer = this.#writer;
    writeEntriesHeader(entries, writer);
    for (const entry of entries) writer.raw(entry.data);
    this.#endRecord(at);
  }

  addCompacted(group: GroupId, snapshot: SnapshotMeta): void {
    const at = this.#beginRecord(group, RECORD_COMPACTED);
    writeSnapshotMeta(snapshot, this.#writer);
    this.#endRecord(at);
  }

  addReplaced(group: GroupId, snapshot: SnapshotMeta): void {
    const at = this.#beginRecord(group, RECORD_REPLACED);
    writeSnapshotMeta(snapshot, this.#writer);
    this.#endRecord(at);
  }

  addDropped(group: GroupId): void {
    this.#endRecord(this.#beginRecord(group, RECORD_DROPPED));
  }

  addRestated(group: GroupId, state: HardState, lastIndex: number, snapshot: SnapshotMeta): void {
    const at = this.#beginRecord(group, RECORD_RESTATED);
    writeHardState(state, this.#writer);
    this.#writer.u48(lastIndex);
    writeSnapshotMeta(snapshot, this.#writer);
    this.#endRecord(at);
  }

  /** Completes the unit: whole blocks, to be written at `place`. Valid until the next `begin`. */
  seal(place: UnitPlace): Bytes {
    const writer = this.#writer;
    const lengthBytes = writer.length;
    const paddedBytes = roundUpToBlock(lengthBytes);
    writer.reserve(paddedBytes - lengthBytes);
    writer.bytes.fill(0, lengthBytes, paddedBytes);
    writeUnitHeader({ ...place, lengthBytes, records: this.#records, salt: this.#salt }, writer.bytes);
    return writer.bytes.subarray(0, paddedBytes);
  }

  #beginRecord(group: GroupId, kind: number): number {
    const at = this.#writer.reserve(RECORD_HEADER_BYTES);
    const { bytes } = this.#writer;
    bytes.writeUInt32LE(group, at + 8);
    bytes[at + 12] = kind;
    return at;
  }

  #endRecord(at: number): void {
    const { bytes, length } = this.#writer;
    bytes.writeUInt32LE(length - at - RECORD_HEADER_BYTES, at + 4);
    bytes.writeUInt32LE(recordChecksum(bytes, 0, at, length, this.#salt), at);
    this.#records += 1;
  }
}
