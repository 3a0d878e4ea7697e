/**
 * Opens a log: recovers what it holds, makes sure that all of it is durable, and begins a new segment.
 *
 * A start never writes behind old units: it begins a segment, whose opening unit carries the number after the
 * last intact one. That alone ends the old segment, torn tail or not; cutting the tail off afterwards gives
 * its space back. So a crash at any moment of a start leaves a log that the next start reads the same way.
 */
import { MinikeyError } from "../../core/errors.js";
import type { GroupId } from "../../core/ids.js";
import type { Disk } from "../../ports/disk.js";
import { corrupt, onDisk } from "./failures.js";
import { BLOCK_BYTES, FORMAT_VERSION, segmentOfName } from "./format.js";
import { Ledger } from "./ledger.js";
import { EntryLoader, findMissingEntries, LedgerReplay } from "./replay.js";
import { type LogScan, rescanSegment, type ScannedSegment, scanLog } from "./scan.js";
import { SegmentReader } from "./segment-reader.js";
import { SegmentedLog } from "./segmented-log.js";
import type { LogOptions, RecoveredGroup, RecoveryReport, WriteAheadLog } from "./types.js";

/**
 * Opens the log in `directory`, or makes one. Rejects with `MinikeyError`: `DATA_CORRUPT` when durable data is
 * damaged or missing, `DATA_NEWER` when a newer version has written it, `DISK_FAILED` when the disk refuses.
 */
export async function openLog(
  disk: Disk,
  directory: string,
  options: LogOptions,
): Promise<{ log: WriteAheadLog; report: RecoveryReport }> {
  const readers = await openSegments(disk, directory);
  try {
    await requireKnownVersions(readers);
    const ledger = new Ledger();
    const replay = new LedgerReplay(ledger);
    const scan = await scanLog(readers, replay);
    const groups = await loadGroups(scan, ledger);
    await proveDurable(scan);
    await removeUnused(disk, directory, scan);
    const log = await SegmentedLog.start({
      disk,
      directory,
      options,
      logId: scan.logId ?? options.random.id48(),
      ledger,
      nextSequence: scan.nextSequence,
      segments: scan.segments.map(({ reader, endBytes }) => ({
        segment: reader.segment,
        path: reader.path,
        usedBytes: endBytes,
      })),
    });
    await cutOff(scan.segments.at(-1));
    const { tornTail, segments } = scan;
    return { log, report: { groups, tornTail, segments: segments.length, records: replay.records } };
  } finally {
    for (const { file } of readers) await file.close();
  }
}

async function openSegments(disk: Disk, directory: string): Promise<SegmentReader[]> {
  const readers: SegmentReader[] = [];
  for (const name of await onDisk("list", directory, disk.list(directory))) {
    const segment = segmentOfName(name);
    if (segment === undefined) continue;
    const path = `${directory}/${name}`;
    const file = await onDisk("open", path, disk.open(path));
    readers.push(await SegmentReader.open(file, path, segment));
  }
  return readers;
}

async function requireKnownVersions(readers: readonly SegmentReader[]): Promise<void> {
  for (const reader of readers) {
    const header = await reader.segmentHeader();
    reader.release();
    if (header === undefined || header.version <= FORMAT_VERSION) continue;
    throw new MinikeyError(
      "DATA_NEWER",
      `${reader.path} has log format ${header.version}, and this version knows formats up to ${FORMAT_VERSION}`,
    );
  }
}

async function loadGroups(scan: LogScan, ledger: Ledger): Promise<Map<GroupId, RecoveredGroup>> {
  const missing = findMissingEntries(ledger);
  if (missing !== undefined) {
    const { group, first, last } = missing;
    const what = `entries ${first} to ${last} of group ${group} were in older segments, which are gone`;
    throw corrupt(scan.segments[0].reader.path, 0, what);
  }
  const loader = new EntryLoader(ledger);
  for (const segment of scan.segments) {
    if (ledger.hasRuns(segment.reader.segment)) await rescanSegment(segment, loader);
  }
  const groups = new Map<GroupId, RecoveredGroup>();
  for (const [group, { hardState, snapshot, lastIndex }] of ledger.groups) {
    const entries = loader.entriesOf(group);
    if (entries.length !== lastIndex - snapshot.index) {
      throw corrupt(
        scan.segments[0].reader.path,
        0,
        `entries of group ${group} changed while they were read`,
      );
    }
    groups.set(group, { hardState, snapshot, entries });
  }
  return groups;
}

/**
 * The last unit may be in the page cache alone: the process that wrote it may have died before the write was
 * durable, or because making it durable had failed, after which the cache passes for clean. It is about to be
 * relied on, so it is written once more; all before it was durable before it was written.
 */
async function proveDurable({ segments }: LogScan): Promise<void> {
  const last = segments.at(-1);
  if (last === undefined) return;
  const { reader, lastUnitAt, endBytes } = last;
  // The segment's header was written with its opening unit.
  const start = lastUnitAt === BLOCK_BYTES ? 0 : lastUnitAt;
  await reader.fill(start, endBytes - start);
  const write = reader.bytes.subarray(reader.at(start), reader.at(endBytes));
  await onDisk("write", reader.path, reader.file.write([write], start));
  await onDisk("sync", reader.path, reader.file.sync());
}

/** Files that were made ahead of need and hold nothing; this start makes its own. */
async function removeUnused(disk: Disk, directory: string, { unused }: LogScan): Promise<void> {
  if (unused.length === 0) return;
  for (const { path } of unused) await onDisk("remove", path, disk.remove(path));
  await onDisk("sync", directory, disk.syncDirectory(directory));
}

async function cutOff(last: ScannedSegment | undefined): Promise<void> {
  if (last === undefined || last.reader.sizeBytes <= last.endBytes) return;
  const { reader, endBytes } = last;
  await onDisk("cut", reader.path, reader.file.truncate(endBytes));
  await onDisk("sync", reader.path, reader.file.sync());
}
