import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SimDisk, seededChance } from "../../../../sim/disk/sim-disk.js";
import { asBytes } from "../../../../src/core/bytes.js";
import { type GroupId, groupId } from "../../../../src/core/ids.js";
import type { DiskFile, OpenOptions } from "../../../../src/ports/disk.js";
import {
  BLOCK_BYTES,
  readSegmentHeader,
  readUnitHeader,
  writeSegmentHeader,
} from "../../../../src/storage/log/format.js";
import { openLog } from "../../../../src/storage/log/open-log.js";
import type { LogOptions, RecoveryReport, WriteAheadLog } from "../../../../src/storage/log/types.js";
import { Unit } from "../../../../src/storage/log/unit.js";
import { HandClock } from "../../../support/hand-clock.js";
import { appendTo, describeState, entry, hardState, snapshotAt } from "./log-model.js";
import { turn } from "./log-run.js";

const chance = seededChance(11);

const OPTIONS: LogOptions = {
  random: {
    unit: chance,
    below: (bound) => Math.floor(chance() * bound),
    id48: () => Math.floor(chance() * 2 ** 48),
  },
  onFailure: (error) => assert.fail(error),
  segmentBytes: 4096,
};

interface Opened {
  readonly disk: SimDisk;
  readonly log: WriteAheadLog;
  readonly report: RecoveryReport;
}

async function open(disk = new SimDisk(seededChance(5)), options: Partial<LogOptions> = {}): Promise<Opened> {
  return { disk, ...(await openLog(disk, "log", { ...OPTIONS, ...options })) };
}

/** Appends and waits until it is durable. */
function write(log: WriteAheadLog, ...args: Parameters<typeof appendTo>): Promise<void> {
  return new Promise((resolve) => {
    log.append(appendTo(...args), resolve);
    log.flush();
  });
}

const text = (size: number): string => "z".repeat(size);

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns += 1) {
    assert(turns < 10_000, `waited in vain: ${what}`);
    await turn();
  }
}

const segmentsOn = (disk: SimDisk): number[] =>
  disk.paths().map((path) => Number(/(\d+)\.log$/.exec(path)?.[1]));

/** Writes small entries of a busy group, compacted as it goes, until the log is in segment `target`. */
async function fillUpTo(opened: Opened, group: number, first: number, target: number): Promise<number> {
  let index = first;
  // The file of the segment after the current one exists, too.
  while (Math.max(...segmentsOn(opened.disk)) <= target) {
    await write(opened.log, group, [entry(index, 1, text(700))]);
    opened.log.compact(groupId(group), snapshotAt(index, 1));
    index += 1;
  }
  return index;
}

/** What the next process finds after the power went. */
async function reopen(opened: Opened, options: Partial<LogOptions> = {}): Promise<Opened> {
  return open(opened.disk.restart("power loss"), options);
}

describe("the log", () => {
  it("begins empty in a directory that does not exist", async () => {
    const { report, log } = await open();
    assert.deepEqual(report, { groups: new Map(), tornTail: undefined, segments: 0, records: 0 });
    await log.close();
  });

  it("recovers hard state, snapshot and entries of each group", async () => {
    const opened = await open();
    await write(opened.log, 1, [entry(1, 1, "a"), entry(2, 1, "b")], { hardState: hardState(1, 7, 0) });
    await write(opened.log, 9, [], { snapshot: snapshotAt(30, 4) });
    await write(opened.log, 9, [entry(31, 5, "c")], { hardState: hardState(5, 2, 30) });
    const { report } = await reopen(opened);
    assert.equal(
      describeState(report.groups),
      describeState(
        new Map([
          [
            groupId(1),
            {
              hardState: hardState(1, 7, 0),
              snapshot: {
                ...snapshotAt(0, 0),
                configuration: { voters: [], votersOutgoing: [], learners: [] },
              },
              entries: [entry(1, 1, "a"), entry(2, 1, "b")],
            },
          ],
          [
            groupId(9),
            { hardState: hardState(5, 2, 30), snapshot: snapshotAt(30, 4), entries: [entry(31, 5, "c")] },
          ],
        ]),
      ),
    );
  });

  it("shares one write among all appends that were queued while one was under way", async () => {
    const { disk, log } = await open();
    const done: number[] = [];
    const queue = (index: number): void =>
      log.append(appendTo(1, [entry(index, 1, "x")]), () => done.push(index));
    const writesSoFar = (): number => disk.history.filter((name) => /^write .* at [1-9]/.test(name)).length;
    const before = writesSoFar();
    queue(1);
    log.flush();
    for (let index = 2; index <= 20; index += 1) queue(index);
    log.flush();
    await until("20 callbacks", () => done.length === 20);
    assert.deepEqual(
      done,
      Array.from({ length: 20 }, (_, i) => i + 1),
      "in the order of the appends",
    );
    assert.equal(writesSoFar() - before, 2);
    await log.close();
  });

  it("writes nothing before it is told to", async () => {
    const { disk, log } = await open();
    log.append(appendTo(1, [entry(1, 1, "x")]), () => undefined);
    const { operations } = disk;
    await turn();
    assert.equal(disk.operations, operations);
    await log.close();
  });

  it("copies what is appended: the caller's buffer is free at once", async () => {
    const opened = await open();
    const data = Buffer.from("before");
    const written = write(opened.log, 1, [{ ...entry(1, 1, ""), data: asBytes(data) }]);
    data.fill("!");
    await written;
    const { report } = await reopen(opened);
    assert.equal(report.groups.get(groupId(1))?.entries[0].data.utf8Slice(), "before");
  });

  it("takes entries larger than a segment and than recovery's window", async () => {
    const opened = await open(undefined, { segmentBytes: 32 * 1024 * 1024 });
    const entries = [10_000, 3_000_000, 1, 2_500_000, 700, 900_000, 800].map((size, i) =>
      entry(i + 1, 1, String(i).repeat(size)),
    );
    for (const one of entries) await write(opened.log, 1, [one]);
    const { report } = await reopen(opened, { segmentBytes: 32 * 1024 * 1024 });
    assert(report.groups.get(groupId(1))?.entries.every(({ data }, i) => data.equals(entries[i].data)));
    assert.equal(report.groups.get(groupId(1))?.entries.length, entries.length);
  });
});

describe("recovery", () => {
  it("keeps what it has read from a segment while it reads on", async () => {
    const opened = await open(undefined, { segmentBytes: 4 * 1024 * 1024 });
    for (let first = 1; first <= 3000; first += 100) {
      const entries = Array.from({ length: 100 }, (_, i) => entry(first + i, 1, `${first + i}${text(700)}`));
      await write(opened.log, 1, entries);
    }
    const { report } = await reopen(opened, { segmentBytes: 4 * 1024 * 1024 });
    assert.equal(report.segments, 1);
    const entries = report.groups.get(groupId(1))?.entries ?? [];
    assert.equal(entries.length, 3000);
    for (const { index, data } of entries) assert.equal(data.utf8Slice(), `${index}${text(700)}`);
  });
});

describe("the log's segments", () => {
  it("go when a checkpoint has made their entries needless", async () => {
    const opened = await open();
    const next = await fillUpTo(opened, 1, 1, 4);
    await until("the first segments are gone", () => segmentsOn(opened.disk)[0] >= 3);
    assert(opened.log.sizeBytes() < 3 * 4096);
    const { report } = await reopen(opened);
    assert.equal(
      report.groups.get(groupId(1))?.snapshot.index,
      next - 2,
      "the last compaction was not written",
    );
  });

  it("do not wait for a group that is idle: newer ones restate its vote and its snapshot", async () => {
    const opened = await open();
    await write(opened.log, 2, [entry(1, 3, "old")], { hardState: hardState(3, 8, 1) });
    opened.log.compact(groupId(2), snapshotAt(1, 3));
    await fillUpTo(opened, 1, 1, 5);
    await until("the first segments are gone", () => segmentsOn(opened.disk)[0] >= 3);
    const { report } = await reopen(opened);
    const idle = report.groups.get(groupId(2));
    assert.deepEqual(idle, { hardState: hardState(3, 8, 1), snapshot: snapshotAt(1, 3), entries: [] });
  });

  it("stay while one group needs an entry in them", async () => {
    const opened = await open();
    await write(opened.log, 1, [entry(1, 1, "x")]);
    await write(opened.log, 2, [entry(1, 1, "needed"), entry(2, 1, "needed too")]);
    await fillUpTo(opened, 1, 2, 5);
    assert.equal(segmentsOn(opened.disk)[0], 1);
    opened.log.compact(groupId(2), snapshotAt(1, 1));
    await write(opened.log, 3, [entry(1, 1, "another group's")]);
    assert.equal(segmentsOn(opened.disk)[0], 1);
    opened.log.compact(groupId(2), snapshotAt(2, 1));
    await write(opened.log, 2, [entry(3, 1, "after")]);
    await until("the first segments are gone", () => segmentsOn(opened.disk)[0] > 1);
    const { report } = await reopen(opened);
    assert.deepEqual(report.groups.get(groupId(2))?.entries, [entry(3, 1, "after")]);
  });

  it("do not stay for entries that later ones have replaced", async () => {
    const opened = await open();
    await write(opened.log, 2, [entry(1, 1, "replaced"), entry(2, 1, "replaced")]);
    await write(opened.log, 3, [entry(1, 1, "checkpointed"), entry(2, 1, "replaced")]);
    const next = await fillUpTo(opened, 1, 1, 3);
    await write(opened.log, 2, [entry(1, 2, "new")]);
    await write(opened.log, 3, [entry(2, 2, "new")]);
    opened.log.compact(groupId(3), snapshotAt(1, 1));
    await fillUpTo(opened, 1, next, 5);
    await until("the first segments are gone", () => segmentsOn(opened.disk)[0] >= 3);
    const { report } = await reopen(opened);
    assert.deepEqual(report.groups.get(groupId(2))?.entries, [entry(1, 2, "new")]);
    assert.deepEqual(report.groups.get(groupId(3))?.entries, [entry(2, 2, "new")]);
  });

  it("do not stay for a group that was dropped, which does not come back", async () => {
    const opened = await open();
    await write(opened.log, 2, [entry(1, 1, "dropped")], { hardState: hardState(1, 1, 1) });
    await new Promise<void>((resolve) => {
      opened.log.dropGroup(groupId(2), resolve);
      opened.log.flush();
    });
    await fillUpTo(opened, 1, 1, 5);
    await until("the first segments are gone", () => segmentsOn(opened.disk)[0] >= 3);
    const { report } = await reopen(opened);
    assert.deepEqual([...report.groups.keys()], [groupId(1)]);
  });

  it("are made ahead of need, and no append waits for that", async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    /** The second segment's file cannot be made before `release`. */
    class SlowDisk extends SimDisk {
      override async open(path: string, options?: OpenOptions): Promise<DiskFile> {
        if (path === "log/0000000002.log") await held;
        return super.open(path, options);
      }
    }
    const { log } = await open(new SlowDisk(seededChance(5)));
    for (let i = 1; i <= 4; i += 1) await write(log, 1, [entry(i, 1, "x")]);
    await write(log, 1, [entry(5, 1, text(2000))]);
    let durable = false;
    log.append(appendTo(1, [entry(6, 1, "in the next segment")]), () => {
      durable = true;
    });
    log.flush();
    for (let i = 0; i < 20; i += 1) await turn();
    assert.equal(durable, false, "what goes to the next segment needs its file");
    release();
    await until("the append is durable", () => durable);
    await log.close();
  });
});

describe("a start of the log", () => {
  it("cuts a torn tail off and tells where it was", async () => {
    const opened = await open();
    await write(opened.log, 1, [entry(1, 1, "kept")]);
    const { disk } = opened;
    const path = "log/0000000001.log";
    const whole = disk.contents(path);
    await write(opened.log, 1, [entry(2, 1, text(1500))]);
    const torn = disk.contents(path);
    const at = 3 * BLOCK_BYTES;
    assert.notDeepEqual(whole.subarray(at), torn.subarray(at));
    torn.fill(0, at + 600, at + 700);
    disk.setContents(path, torn);
    const { report, disk: after } = await reopen(opened);
    assert.deepEqual(report.groups.get(groupId(1))?.entries, [entry(1, 1, "kept")]);
    const lostBytes = 40 + 13 + 21 + 1500;
    assert.deepEqual(report.tornTail, { file: path, offsetBytes: at, lostBytes });
    assert.equal(after.contents(path).length, at, "cut off");
  });

  it("refuses a log of a newer version, and names the versions", async () => {
    const opened = await open();
    await write(opened.log, 1, [entry(1, 1, "a")]);
    const path = "log/0000000001.log";
    const bytes = opened.disk.contents(path);
    const header = readSegmentHeader(asBytes(bytes));
    assert(header !== undefined);
    writeSegmentHeader({ ...header, version: 9 }, asBytes(bytes));
    opened.disk.setContents(path, bytes);
    await assert.rejects(reopen(opened), {
      code: "DATA_NEWER",
      message: `${path} has log format 9, and this version knows formats up to 1`,
    });
  });

  it("refuses a segment of another log", async () => {
    const opened = await open();
    await write(opened.log, 1, [entry(1, 1, "a")]);
    const other = await open();
    const next = await reopen(other);
    opened.disk.setContents("log/0000000002.log", next.disk.contents("log/0000000002.log"));
    await assert.rejects(reopen(opened), {
      code: "DATA_CORRUPT",
      message: "log/0000000002.log is damaged at byte 16: it belongs to another log",
    });
  });

  it("refuses a log whose oldest segments are gone with entries that are needed", async () => {
    const opened = await open();
    await write(opened.log, 2, [entry(1, 1, "needed")]);
    await fillUpTo(opened, 1, 1, 4);
    await opened.log.close();
    const disk = opened.disk.restart("kill");
    await disk.remove("log/0000000001.log");
    await assert.rejects(open(disk), {
      code: "DATA_CORRUPT",
      message: /entries 1 to 1 of group 2 were in older/,
    });
  });

  it("refuses a log whose only segment has no intact beginning, unless it is the first ever", async () => {
    const spoil = (disk: SimDisk): void => {
      const path = disk.paths()[0];
      const bytes = disk.contents(path);
      bytes[BLOCK_BYTES + 5] ^= 1;
      disk.setContents(path, bytes);
    };
    let opened = await open();
    spoil(opened.disk);
    opened = await reopen(opened);
    assert.equal(opened.report.groups.size, 0, "a log that was never begun");
    await write(opened.log, 1, [entry(1, 1, "a")]);
    opened.log.compact(groupId(1), snapshotAt(1, 1));
    await write(opened.log, 1, []);
    opened = await reopen(opened);
    await until("the first segment is gone", () => segmentsOn(opened.disk)[0] === 2);
    await opened.log.close();
    const disk = opened.disk.restart("kill");
    // Only the opening unit is left to tell.
    const path = "log/0000000002.log";
    disk.setContents(path, disk.contents(path).fill(0, 3 * BLOCK_BYTES));
    spoil(disk);
    await assert.rejects(open(disk), {
      code: "DATA_CORRUPT",
      message: `${path} is damaged at byte 0: the oldest segment has no intact beginning`,
    });
  });

  it("refuses a segment that restates a group otherwise than the segments before", async () => {
    const opened = await open();
    await write(opened.log, 1, [entry(1, 1, "a")], { hardState: hardState(4, 2, 1) });
    const next = await reopen(opened);
    const path = "log/0000000002.log";
    const bytes = next.disk.contents(path);
    const header = readUnitHeader(asBytes(bytes), BLOCK_BYTES);
    assert(header !== undefined);
    const forged = new Unit(1024);
    forged.begin(header.salt);
    forged.addRestated(groupId(1), hardState(4, 3, 1), 1, snapshotAt(0, 0));
    bytes.set(forged.seal(header), BLOCK_BYTES);
    next.disk.setContents(path, bytes);
    await assert.rejects(reopen(next), {
      code: "DATA_CORRUPT",
      message: /group 1 is not as the records before/,
    });
  });

  it("starts from nothing where a segment was never begun", async () => {
    const opened = await open();
    await write(opened.log, 1, [entry(1, 1, "a")]);
    const path = "log/0000000002.log";
    opened.disk.setContents(path, Buffer.alloc(20_000, 7));
    const next = await reopen(opened);
    assert.deepEqual(next.report.tornTail, { file: path, offsetBytes: 0, lostBytes: 20_000 });
    await write(next.log, 1, [entry(2, 1, "b")]);
    const { report } = await reopen(next);
    assert.equal(report.tornTail, undefined, "nothing is left of it");
    assert.equal(report.groups.get(groupId(1))?.entries.length, 2);
  });

  it("leaves files alone that are not segments", async () => {
    const disk = new SimDisk(seededChance(5));
    disk.setContents("log/README", Buffer.from("hello"));
    disk.setContents("log/1.log", Buffer.from("hello"));
    const { log } = await open(disk);
    await log.close();
    assert.equal(disk.contents("log/README").toString(), "hello");
    assert.equal(disk.contents("log/1.log").toString(), "hello");
  });

  it("can follow start after start without writing anything else", async () => {
    let opened = await open();
    await write(opened.log, 1, [entry(1, 1, "a")]);
    for (let i = 0; i < 10; i += 1) opened = await reopen(opened);
    assert.deepEqual(opened.report.groups.get(groupId(1))?.entries, [entry(1, 1, "a")]);
    assert(
      opened.log.sizeBytes() < 12 * 4 * BLOCK_BYTES,
      "a start that adds nothing takes two blocks or three",
    );
    opened.log.compact(groupId(1), snapshotAt(1, 1));
    await write(opened.log, 1, [entry(2, 1, "b")]);
    await until("the old segments are gone", () => segmentsOn(opened.disk).length === 2);
  });
});

describe("a seal", () => {
  /** Damages the last unit that holds the text. */
  const damage = (disk: SimDisk, path: string): void => {
    const bytes = disk.contents(path);
    bytes[bytes.lastIndexOf("precious")] ^= 1;
    disk.setContents(path, bytes);
  };

  it("lets damage to the last entries be told from a torn write once the log was closed", async () => {
    const opened = await open();
    await write(opened.log, 1, [entry(1, 1, "precious")]);
    await opened.log.close();
    damage(opened.disk, "log/0000000001.log");
    await assert.rejects(reopen(opened), {
      code: "DATA_CORRUPT",
      message: /^log\/0000000001.log is damaged at byte/,
    });
  });

  it("is written, once, when the log has been idle for a second", async () => {
    const clock = new HandClock();
    const opened = await open(undefined, { clock });
    const settled = async (): Promise<number> => {
      for (let i = 0; i < 5; i += 1) await turn();
      return opened.log.sizeBytes();
    };
    await write(opened.log, 1, [entry(1, 1, "precious")]);
    const size = await settled();
    clock.advance(1000);
    assert.equal(await settled(), size, "the log was written to within the last second");
    clock.advance(1000);
    assert.equal(await settled(), size + BLOCK_BYTES);
    clock.advance(5000);
    assert.equal(await settled(), size + BLOCK_BYTES, "one seal is enough");
    damage(opened.disk, "log/0000000001.log");
    const { disk } = opened;
    await assert.rejects(open(disk.restart("power loss")), { code: "DATA_CORRUPT" });
    await opened.log.close();
    assert.equal(clock.pendingTimers, 0);
  });
});

describe("many groups", () => {
  it("are all restated in every segment", async () => {
    const opened = await open(undefined, { segmentBytes: 256 * 1024 });
    const groups: GroupId[] = Array.from({ length: 2000 }, (_, i) => groupId(i * 65_537));
    for (const group of groups) {
      opened.log.append(
        appendTo(group, [entry(1, 1, "v")], { hardState: hardState(1, 1, 0) }),
        () => undefined,
      );
    }
    await write(opened.log, 1, [entry(1, 1, text(100_000))]);
    for (const group of groups) opened.log.compact(group, snapshotAt(1, 1));
    await write(opened.log, 1, [entry(2, 1, text(100_000))]);
    await write(opened.log, 1, [entry(3, 1, text(100_000))]);
    const { report } = await reopen(opened);
    assert.equal(report.groups.size, 2001);
    assert.deepEqual(report.groups.get(groups[1999]), {
      hardState: hardState(1, 1, 0),
      snapshot: snapshotAt(1, 1),
      entries: [],
    });
  });
});
