/**
 * Walks a log from its first unit to its last, proves that the last is the last, and tells a torn tail from
 * damage.
 *
 * The writer starts a unit only after the one before it is durable. So after a crash every unit but the last
 * is whole, and of the last any bytes may be missing, in any order. Units count up without a gap, over
 * segments and restarts; hence, with `n` the number expected next:
 *
 *   - unit n follows in its place, or opens the next segment: the log goes on there;
 *   - it does not, and no intact unit header numbered n or more exists anywhere else: n was never durable
 *     (never acknowledged), and what there is of it is a torn tail;
 *   - it does not, but such a header exists: the unit before that one was durable once, so data that was
 *     durable is damaged or gone: `DATA_CORRUPT`.
 *
 * Searching goes byte by byte through everything beyond the end, so that bytes cut out or put in, which
 * displace all that follows, are found as well. A segment that nothing follows must also have the size that
 * it was made with.
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
  BLOCK_BYTES,
  findDamagedRecord,
  readUnitHeader,
  roundUpToBlock,
  type SegmentHeader,
  UNIT_HEADER_BYTES,
  UNIT_MAGIC_FIRST_BYTE,
  type UnitHeader,
} from "./format.js";
import type { SegmentReader } from "./segment-reader.js";

/** Gets the intact units in their order. */
export interface UnitVisitor {
  /** The unit lies whole in `reader.bytes`, from `unitAt` on. */
  onUnit(reader: SegmentReader, unitAt: number, header: UnitHeader): void;
}

export interface ScannedSegment {
  readonly reader: SegmentReader;
  /** Where its last unit ends, with the filling. */
  readonly endBytes: number;
  readonly lastUnitAt: number;
}

export interface TornTail {
  readonly file: string;
  readonly offsetBytes: number;
  readonly lostBytes: number;
}

export interface LogScan {
  /** Undefined when there is no log yet. */
  readonly logId: number | undefined;
  /** In order, without a gap. */
  readonly segments: readonly ScannedSegment[];
  /** Files made for segments that were never begun. */
  readonly unused: readonly SegmentReader[];
  readonly nextSequence: number;
  readonly tornTail: TornTail | undefined;
}

/** `readers`: all segment files, in order. */
export async function scanLog(readers: readonly SegmentReader[], visitor: UnitVisitor): Promise<LogScan> {
  const scanner = new Scanner(readers, visitor);
  return scanner.run();
}

/** Visits the units of a segment again. */
export async function rescanSegment(segment: ScannedSegment, visitor: UnitVisitor): Promise<void> {
  const { reader, endBytes } = segment;
  for (let offset = BLOCK_BYTES; offset < endBytes; ) {
    const header = await readIntactUnit(reader, offset);
    if (header === undefined) throw corrupt(reader.path, offset, "it changed while it was read");
    visitor.onUnit(reader, reader.at(offset), header);
    offset += roundUpToBlock(header.lengthBytes);
  }
  reader.release();
}

class Scanner {
  readonly #readers: readonly SegmentReader[];
  readonly #visitor: UnitVisitor;
  readonly #segments: ScannedSegment[] = [];
  #logId: number | undefined;
  /** 0 until the first unit is seen. */
  #nextSequence = 0;

  constructor(readers: readonly SegmentReader[], visitor: UnitVisitor) {
    this.#readers = readers;
    this.#visitor = visitor;
  }

  async run(): Promise<LogScan> {
    let last: SegmentHeader | undefined;
    for (const reader of this.#readers) {
      const before = this.#segments.at(-1)?.reader;
      if (before !== undefined && reader.segment !== before.segment + 1) break;
      const header = await this.#beginSegment(reader);
      if (header === undefined) break;
      last = header;
      await this.#walkUnits(reader);
      before?.release();
    }
    const tornTail = await this.#proveEnd();
    if (last !== undefined) requireSize(this.#segments[this.#segments.length - 1].reader, last);
    return {
      logId: this.#logId,
      segments: this.#segments,
      unused: this.#readers.slice(this.#segments.length),
      nextSequence: Math.max(1, this.#nextSequence),
      tornTail,
    };
  }

  /** Undefined when the segment was not begun, or not completely. */
  async #beginSegment(reader: SegmentReader): Promise<SegmentHeader | undefined> {
    const header = await reader.segmentHeader();
    if (header === undefined) return undefined;
    this.#logId ??= header.logId;
    if (header.segment !== reader.segment) {
      throw corrupt(reader.path, 12, `its header is segment ${header.segment}'s`);
    }
    if (header.logId !== this.#logId) throw corrupt(reader.path, 16, "it belongs to another log");
    const opening = await readIntactUnit(reader, BLOCK_BYTES);
    if (opening === undefined || opening.logId !== this.#logId) return undefined;
    if (this.#nextSequence === 0) this.#nextSequence = opening.sequence;
    if (opening.sequence > this.#nextSequence) throw await this.#unitsMissing(opening);
    if (opening.sequence < this.#nextSequence) {
      throw corrupt(
        reader.path,
        BLOCK_BYTES,
        `unit ${opening.sequence} follows unit ${this.#nextSequence - 1}`,
      );
    }
    return header;
  }

  async #walkUnits(reader: SegmentReader): Promise<void> {
    let offset = BLOCK_BYTES;
    let lastUnitAt = offset;
    for (;;) {
      const header = await readIntactUnit(reader, offset);
      if (header === undefined || !this.#isNext(header)) break;
      this.#visitor.onUnit(reader, reader.at(offset), header);
      this.#nextSequence += 1;
      lastUnitAt = offset;
      offset += roundUpToBlock(header.lengthBytes);
    }
    this.#segments.push({ reader, endBytes: offset, lastUnitAt });
  }

  #isNext(header: UnitHeader): boolean {
    return header.logId === this.#logId && header.sequence === this.#nextSequence;
  }

  async #unitsMissing(found: UnitHeader): Promise<Error> {
    const { reader, endBytes } = this.#segments[this.#segments.length - 1];
    return this.#damaged(reader, endBytes, found);
  }

  async #damaged(reader: SegmentReader, offset: number, found: UnitHeader): Promise<Error> {
    const what = `unit ${this.#nextSequence} is damaged or missing, though unit ${found.sequence} exists`;
    return corrupt(reader.path, await locateDamage(reader, offset), what);
  }

  /** Searches all that lies beyond the last intact unit. */
  async #proveEnd(): Promise<TornTail | undefined> {
    const last = this.#segments.at(-1);
    const beyond = this.#readers.slice(this.#segments.length);
    const rest = last === undefined ? beyond : [last.reader, ...beyond];
    let blamed: SegmentReader | undefined;
    let tornTail: TornTail | undefined;
    for (const reader of rest) {
      // The only place where this unit may lie torn: after the last one, or at the next segment's start.
      const place = reader === last?.reader ? last.endBytes : BLOCK_BYTES;
      const from = reader === last?.reader ? last.endBytes : 0;
      const found = await searchBeyond(reader, from, (header, offset) =>
        this.#disproves(header, offset, place),
      );
      if (found.header !== undefined) {
        throw await this.#damaged(blamed ?? reader, tornTail?.offsetBytes ?? from, found.header);
      }
      if (reader === last?.reader) await this.#requireZerosBehindTail(reader, from, found.usedEnd);
      const lostBytes = found.usedEnd - from;
      if (lostBytes === 0 || tornTail !== undefined) continue;
      blamed = reader;
      tornTail = { file: reader.path, offsetBytes: from, lostBytes };
    }
    this.#requireBeginning(last);
    return tornTail;
  }

  /** A segment takes one torn unit at most; where its header is intact, something else was written behind it. */
  async #requireZerosBehindTail(reader: SegmentReader, from: number, usedEnd: number): Promise<void> {
    const torn = await readHeaderInPlace(reader, from);
    if (torn === undefined || usedEnd <= from + roundUpToBlock(torn.lengthBytes)) return;
    const what = `unit ${torn.sequence} is damaged, though something was written after it`;
    throw corrupt(reader.path, await locateDamage(reader, from), what);
  }

  #disproves(header: UnitHeader, offset: number, place: number): boolean {
    if (this.#logId !== undefined && header.logId !== this.#logId) return false;
    if (header.sequence < this.#nextSequence) return false;
    return offset !== place || header.sequence > Math.max(1, this.#nextSequence);
  }

  /** Older segments go only when a newer one has been in use: what is left always begins with an intact one. */
  #requireBeginning(last: ScannedSegment | undefined): void {
    const first = this.#readers.at(0);
    if (last !== undefined || first === undefined || first.segment === 1) return;
    throw corrupt(first.path, 0, "the oldest segment has no intact beginning");
  }
}

/** The header of the unit at `offset`, when it is intact and belongs there. */
async function readHeaderInPlace(reader: SegmentReader, offset: number): Promise<UnitHeader | undefined> {
  if (!reader.has(offset, UNIT_HEADER_BYTES)) await reader.fill(offset, UNIT_HEADER_BYTES);
  if (!reader.has(offset, UNIT_HEADER_BYTES)) return undefined;
  const header = readUnitHeader(reader.bytes, reader.at(offset));
  return header?.offsetBytes === offset && header.segment === reader.segment ? header : undefined;
}

/** The same, when its records are intact, too. Loads the unit. */
async function readIntactUnit(reader: SegmentReader, offset: number): Promise<UnitHeader | undefined> {
  const header = await readHeaderInPlace(reader, offset);
  if (header === undefined) return undefined;
  if (!reader.has(offset, header.lengthBytes)) await reader.fill(offset, header.lengthBytes);
  if (!reader.has(offset, header.lengthBytes)) return undefined;
  const damaged = findDamagedRecord(reader.bytes, reader.at(offset), header);
  return damaged === undefined ? header : undefined;
}

/** Where a unit that is not intact stops being so: one of its records, or its start. */
async function locateDamage(reader: SegmentReader, offset: number): Promise<number> {
  const header = await readHeaderInPlace(reader, offset);
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

/** Zeros were written and made durable before the first unit, so no crash makes the last segment shorter. */
function requireSize(reader: SegmentReader, header: SegmentHeader): void {
  if (reader.sizeBytes >= header.madeBytes) return;
  const what = `the file ends there and was made with ${header.madeBytes} bytes`;
  throw corrupt(reader.path, reader.sizeBytes, what);
}
