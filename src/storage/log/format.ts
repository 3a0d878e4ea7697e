/**
 * The log's layout on disk. Numbers are little-endian and unsigned; a block is 512 bytes.
 *
 * A segment is a file, `0000000001.log` and so on, made of zeros before its first use:
 *
 *   block 0          block 1               next free block
 *   ┌────────────────┬─────────────────────┬────────┬────────┬───────────────┐
 *   │ segment header │ opening unit        │ unit   │ unit   │ zeros …       │
 *   └────────────────┴─────────────────────┴────────┴────────┴───────────────┘
 *
 *   segment header (the same in every format version, so that a newer one is recognised)
 *   ┌──────────────────┬─────────────┬─────────────┬────────────┬───────────────┬─────────────┬──────────┐
 *   │ "MINIKLOG" 8 B   │ version u32 │ segment u32 │ log id u48 │ made size u48 │ CRC-32C u32 │ zeros …  │
 *   └──────────────────┴─────────────┴─────────────┴────────────┴───────────────┴─────────────┴──────────┘
 *    0                  8             12            16           22              28            32
 *
 * A unit is what one write carries. It starts at a block, so that no write touches a block with older data:
 *
 *   ┌───────────┬─────────────┬────────────┬──────────────┬─────────────┬───────────┬────────────┬─────────────┬──────────┬─────────┐
 *   │ magic u32 │ CRC-32C u32 │ log id u48 │ sequence u48 │ segment u32 │ block u32 │ length u32 │ records u32 │ salt u32 │ records │
 *   └───────────┴─────────────┴────────────┴──────────────┴─────────────┴───────────┴────────────┴─────────────┴──────────┴─────────┘
 *    0           4             8            14             20            24          28           32            36         40
 *
 * The header's checksum covers bytes 8 to 39; `length` counts header and records; zeros fill the last block.
 * `sequence` counts the units of the log's whole life up by one, over segments and restarts.
 *
 *   record
 *   ┌─────────────┬────────────┬───────────┬─────────┬─────────┐
 *   │ CRC-32C u32 │ length u32 │ group u32 │ kind u8 │ payload │   the checksum covers all that follows it
 *   └─────────────┴────────────┴───────────┴─────────┴─────────┘
 *    0             4            8           12        13
 *
 * A record's checksum starts from `salt + its offset in the unit`, and no two units have the same salt: bytes
 * that were another unit's, or that lay elsewhere in this one, are never taken for this record.
 *
 *   kind 1  hard state        hard state (codec/raft-entry)
 *        2  entries           entries (codec/raft-entry): replace the group's entries from the first index on
 *        3  compacted         snapshot meta: entries up to its index no longer count
 *        4  replaced          snapshot meta: no earlier entry counts
 *        5  dropped           nothing: the group is gone
 *        6  restated          hard state, last index u48, snapshot meta: all of a group but its entries
 *
 * An opening unit holds one `restated` record for every group and nothing else, so that no older segment is
 * needed for anything but entries. Other units hold no such record.
 */
import type { Bytes } from "../../core/bytes.js";
import { crc32c } from "../../core/crc32c.js";
import { type GroupId, groupId } from "../../core/ids.js";

export const FORMAT_VERSION = 1;
export const BLOCK_BYTES = 512;
export const UNIT_HEADER_BYTES = 40;
export const RECORD_HEADER_BYTES = 13;

/** "MKU1", as the disk shows it. */
export const UNIT_MAGIC = 0x31554b4d;
export const UNIT_MAGIC_FIRST_BYTE = UNIT_MAGIC & 0xff;

const SEGMENT_MAGIC = "MINIKLOG";
const SEGMENT_HEADER_BYTES = 32;

export const RECORD_HARD_STATE = 1;
export const RECORD_ENTRIES = 2;
export const RECORD_COMPACTED = 3;
export const RECORD_REPLACED = 4;
export const RECORD_DROPPED = 5;
export const RECORD_RESTATED = 6;

export interface SegmentHeader {
  readonly version: number;
  readonly segment: number;
  readonly logId: number;
  /** Zeros made durable before the first use: a shorter file has been cut. */
  readonly madeBytes: number;
}

/** Where a unit is, and of which log. */
export interface UnitPlace {
  readonly logId: number;
  readonly sequence: number;
  readonly segment: number;
  /** In the file; a multiple of `BLOCK_BYTES`. */
  readonly offsetBytes: number;
}

export interface UnitHeader extends UnitPlace {
  readonly lengthBytes: number;
  readonly records: number;
  readonly salt: number;
}

export function roundUpToBlock(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
}

export function segmentName(segment: number): string {
  return `${String(segment).padStart(10, "0")}.log`;
}

/** The segment a file name stands for; undefined for other files. */
export function segmentOfName(name: string): number | undefined {
  const digits = /^(\d{10})\.log$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Writes to the first block of `target`, which must be zeros. */
export function writeSegmentHeader(header: SegmentHeader, target: Bytes): void {
  target.latin1Write(SEGMENT_MAGIC, 0);
  target.writeUInt32LE(header.version, 8);
  target.writeUInt32LE(header.segment, 12);
  target.writeUIntLE(header.logId, 16, 6);
  target.writeUIntLE(header.madeBytes, 22, 6);
  target.writeUInt32LE(crc32c(target, 0, 28), 28);
}

/** Undefined when there is no intact header. Of any version: the caller must look. */
export function readSegmentHeader(source: Bytes): SegmentHeader | undefined {
  if (source.length < SEGMENT_HEADER_BYTES || source.latin1Slice(0, 8) !== SEGMENT_MAGIC) return undefined;
  if (source.readUInt32LE(28) !== crc32c(source, 0, 28)) return undefined;
  return {
    version: source.readUInt32LE(8),
    segment: source.readUInt32LE(12),
    logId: source.readUIntLE(16, 6),
    madeBytes: source.readUIntLE(22, 6),
  };
}

export function writeUnitHeader(header: UnitHeader, target: Bytes): void {
  target.writeUInt32LE(UNIT_MAGIC, 0);
  target.writeUIntLE(header.logId, 8, 6);
  target.writeUIntLE(header.sequence, 14, 6);
  target.writeUInt32LE(header.segment, 20);
  target.writeUInt32LE(header.offsetBytes / BLOCK_BYTES, 24);
  target.writeUInt32LE(header.lengthBytes, 28);
  target.writeUInt32LE(header.records, 32);
  target.writeUInt32LE(header.salt, 36);
  target.writeUInt32LE(crc32c(target, 8, UNIT_HEADER_BYTES), 4);
}

/** The unit header at `at`; undefined when there is no intact one. Says nothing of the records. */
export function readUnitHeader(source: Bytes, at: number): UnitHeader | undefined {
  if (at + UNIT_HEADER_BYTES > source.length || source.readUInt32LE(at) !== UNIT_MAGIC) return undefined;
  if (source.readUInt32LE(at + 4) !== crc32c(source, at + 8, at + UNIT_HEADER_BYTES)) return undefined;
  const header = {
    logId: source.readUIntLE(at + 8, 6),
    sequence: source.readUIntLE(at + 14, 6),
    segment: source.readUInt32LE(at + 20),
    offsetBytes: source.readUInt32LE(at + 24) * BLOCK_BYTES,
    lengthBytes: source.readUInt32LE(at + 28),
    records: source.readUInt32LE(at + 32),
    salt: source.readUInt32LE(at + 36),
  };
  return header.lengthBytes < UNIT_HEADER_BYTES ? undefined : header;
}

/** The checksum of the record at `at` in a unit that starts at `unitAt`, whose payload ends at `end`. */
export function recordChecksum(bytes: Bytes, unitAt: number, at: number, end: number, salt: number): number {
  return crc32c(bytes, at + 4, end, (salt + at - unitAt) >>> 0);
}

/**
 * Checks the records of the unit at `unitAt`, all of whose bytes are there. Returns where the first damaged
 * one starts in `bytes`; undefined when all are intact.
 */
export function findDamagedRecord(bytes: Bytes, unitAt: number, header: UnitHeader): number | undefined {
  const unitEnd = unitAt + header.lengthBytes;
  let at = unitAt + UNIT_HEADER_BYTES;
  for (let i = 0; i < header.records; i += 1) {
    const payloadAt = at + RECORD_HEADER_BYTES;
    if (payloadAt > unitEnd) return at;
    const end = payloadAt + bytes.readUInt32LE(at + 4);
    if (end > unitEnd) return at;
    if (bytes.readUInt32LE(at) !== recordChecksum(bytes, unitAt, at, end, header.salt)) return at;
    at = end;
  }
  return at === unitEnd ? undefined : at;
}

/** Gets each record of a unit: its group and kind, and where in `bytes` its payload lies. */
export interface RecordVisitor {
  onRecord(bytes: Bytes, group: GroupId, kind: number, payloadAt: number, payloadEnd: number): void;
}

/** Visits the records of a unit that `findDamagedRecord` has found intact. */
export function visitRecords(bytes: Bytes, unitAt: number, records: number, visitor: RecordVisitor): void {
  let at = unitAt + UNIT_HEADER_BYTES;
  for (let i = 0; i < records; i += 1) {
    const payloadAt = at + RECORD_HEADER_BYTES;
    const end = payloadAt + bytes.readUInt32LE(at + 4);
    visitor.onRecord(bytes, groupId(bytes.readUInt32LE(at + 8)), bytes[at + 12], payloadAt, end);
    at = end;
  }
}
