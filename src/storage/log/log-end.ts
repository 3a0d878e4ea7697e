/**
 * Proves that a log ends where it seems to end, and tells a torn tail from damage.
 *
 * The writer starts a unit only after the one before it is durable. So after a crash every unit but the last
 * is whole, and of the last any bytes may be missing, in any order. Let `n` be the number after the last
 * intact unit. Then, of all that lies beyond:
 *
 *   - an intact unit header numbered n or more, other than n's in its own place, means that n was durable:
 *     data that was durable is damaged or gone, `DATA_CORRUPT`;
 *   - so does anything but zeros behind unit n where n's own header is intact, for a segment takes one torn
 *     unit at most: a start never writes behind it;
 *   - otherwise n was never acknowledged, and what there is of it is a torn tail.
 *
 * The search goes byte by byte through everything beyond the end, so that bytes cut out or put in, which
 * displace all that follows, are found as well. A segment that nothing follows must also have the size that
 * it was made with; one that something follows is cut to what it holds, so that a segment lost whole is missed.
 *
 * What cannot be told: damage to the very last unit looks like a torn write, whether or not it had been
 * durable. An empty unit, a seal, is therefore written when the log is closed and when it has been idle for a
 * second, and every start opens a segment: from then on that unit is not the last. The window that remains is
 * a unit damaged after it was acknowledged and before the next one, seal included, was written; and a disk
 * that loses several of the last units whole, having said that they were durable.
 */
import { allocBytes, type Bytes } from "../../core/bytes.js";
import { corrupt } from "./failures.js";
import {
  findDamagedRecord,
  readUnitHeader,
  roundUpToBlock,
  UNIT_HEADER_BYTES,
  UNIT_MAGIC_FIRST_BYTE,
  type UnitHeader,
} from "./format.js";
import type { SegmentReader } from "./segment-reader.js";

export interface TornTail {
  readonly file: string;
  readonly offsetBytes: number;
  readonly lostBytes: number;
}

/** What lies beyond the end in one file, and where in it the next unit would be. */
export interface PlaceBeyond {
  readonly reader: SegmentReader;
  readonly fromBytes: number;
  readonly unitAt: number;
}

/** `sequence`: the next unit's number. `logId`: undefined when there is no intact unit at all. */
export async function proveEnd(
  places: readonly PlaceBeyond[],
  logId: number | undefined,
  sequence: number,
): Promise<TornTail | undefined> {
  let damaged: PlaceBeyond | undefined;
  let tornTail: TornTail | undefined;
  for (const place of places) {
    const { reader, fromBytes, unitAt } = place;
    const found = await searchBeyond(reader, fromBytes, (header, offset) => {
      if (header.sequence < sequence || (logId !== undefined && header.logId !== logId)) return false;
      return header.sequence > sequence || offset !== unitAt;
    });
    if (found.usedEnd > fromBytes) damaged ??= place;
    if (found.header !== undefined) {
      const what = `unit ${sequence} is damaged or missing, though unit ${found.header.sequence} exists`;
      throw await damageAt(damaged ?? place, what);
    }
    const torn = await reader.unitHeader(unitAt);
    if (torn !== undefined && found.usedEnd > unitAt + roundUpToBlock(torn.lengthBytes)) {
      throw await damageAt(place, `unit ${sequence} is damaged, though something was written after it`);
    }
    const lostBytes = found.usedEnd - fromBytes;
    if (lostBytes > 0) tornTail ??= { file: reader.path, offsetBytes: fromBytes, lostBytes };
  }
  return tornTail;
}

/** A segment that was to begin there is damaged from its header on. */
async function damageAt({ reader, fromBytes, unitAt }: PlaceBeyond, what: string): Promise<Error> {
  const headed = fromBytes === unitAt || (await reader.segmentHeader()) !== undefined;
  return corrupt(reader.path, headed ? await locateDamage(reader, unitAt) : fromBytes, what);
}

/** Where a unit that is not intact stops being so: one of its records, or its start. */
export async function locateDamage(reader: SegmentReader, offset: number): Promise<number> {
  const header = await reader.unitHeader(offset);
  if (header === undefined) return offset;
  await reader.fill(offset, header.lengthBytes);
  if (!reader.has(offset, header.lengthBytes)) return reader.sizeBytes;
  const unitAt = reader.at(offset);
  return offset + (findDamagedRecord(reader.bytes, unitAt, header) ?? unitAt) - unitAt;
}

const SEARCH_BYTES = 1024 * 1024;

/**
 * Looks at every byte from `from` on for an intact unit header that `matches`; also tells where the last byte
 * that is not zero ends.
 */
async function searchBeyond(
  reader: SegmentReader,
  from: number,
  matches: (header: UnitHeader, offset: number) => boolean,
): Promise<{ header: UnitHeader | undefined; usedEnd: number }> {
  const zeros = allocBytes(Math.min(SEARCH_BYTES, Math.max(0, reader.sizeBytes - from)));
  let usedEnd = from;
  for (let offset = from; offset < reader.sizeBytes; ) {
    const loaded = Math.min(await reader.fill(offset, SEARCH_BYTES), SEARCH_BYTES);
    const start = reader.at(offset);
    const piece = reader.bytes.subarray(start, start + loaded);
    if (!piece.equals(zeros.subarray(0, loaded))) {
      usedEnd = offset + lengthWithoutZeros(piece);
      const header = searchPiece(piece, offset, matches);
      if (header !== undefined) return { header, usedEnd };
    }
    // A header may lie across two pieces.
    if (offset + loaded >= reader.sizeBytes || loaded <= UNIT_HEADER_BYTES) break;
    offset += loaded - UNIT_HEADER_BYTES;
  }
  return { header: undefined, usedEnd };
}

function searchPiece(
  piece: Bytes,
  offset: number,
  matches: (header: UnitHeader, offset: number) => boolean,
): UnitHeader | undefined {
  let at = piece.indexOf(UNIT_MAGIC_FIRST_BYTE);
  while (at !== -1) {
    const header = readUnitHeader(piece, at);
    if (header !== undefined && matches(header, offset + at)) return header;
    at = piece.indexOf(UNIT_MAGIC_FIRST_BYTE, at + 1);
  }
  return undefined;
}

function lengthWithoutZeros(bytes: Bytes): number {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length -= 1;
  return length;
}
