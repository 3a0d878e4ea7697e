/**
 * Walks a log from its first unit to its last. Units count up without a gap, over segments and restarts: after
 * unit n comes unit n + 1, behind it or as the opening unit of the next segment. Where neither is, the log ends,
 * and `log-end.ts` proves that it may end there.
 */
import { corrupt } from "./failures.js";
import { BLOCK_BYTES, roundUpToBlock, type SegmentHeader, type UnitHeader } from "./format.js";
import { locateDamage, proveEnd, type TornTail } from "./log-end.js";
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
    const header = await reader.intactUnit(offset);
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
    const opening = await reader.intactUnit(BLOCK_BYTES);
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
      const header = await reader.intactUnit(offset);
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
    const what = `unit ${this.#nextSequence} is damaged or missing, though unit ${found.sequence} exists`;
    return corrupt(reader.path, await locateDamage(reader, endBytes), what);
  }

  /** Where unit `#nextSequence` may lie torn: behind the last one, or at the start of a segment never begun. */
  #proveEnd(): Promise<TornTail | undefined> {
    const last = this.#segments.at(-1);
    const beyond = this.#readers.slice(this.#segments.length);
    const places = beyond.map((reader) => ({ reader, fromBytes: 0, unitAt: BLOCK_BYTES }));
    if (last !== undefined) {
      places.unshift({ reader: last.reader, fromBytes: last.endBytes, unitAt: last.endBytes });
    } else if (beyond.length > 0 && beyond[0].segment !== 1) {
      // Older segments go only when a newer one is in use: what is left always begins with an intact one.
      throw corrupt(beyond[0].path, 0, "the oldest segment has no intact beginning");
    }
    return proveEnd(places, this.#logId, Math.max(1, this.#nextSequence));
  }
}

/** Zeros were written and made durable before the first unit, so no crash makes the last segment shorter. */
function requireSize(reader: SegmentReader, header: SegmentHeader): void {
  if (reader.sizeBytes >= header.madeBytes) return;
  const what = `the file ends there and was made with ${header.madeBytes} bytes`;
  throw corrupt(reader.path, reader.sizeBytes, what);
}
