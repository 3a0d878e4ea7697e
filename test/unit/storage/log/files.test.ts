import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { groupId } from "../../../../src/core/ids.js";
import { openDisk } from "../../../../src/platform/disk.js";
import { systemRandom } from "../../../../src/platform/random.js";
import { openLog } from "../../../../src/storage/log/open-log.js";
import type { LogOptions } from "../../../../src/storage/log/types.js";
import { makeTempDir } from "../../../support/temp-dir.js";
import { appendTo, entry, snapshotAt } from "./log-model.js";

const MIB = 1024 * 1024;

const OPTIONS = {
  random: systemRandom(),
  onFailure: (error: Error) => assert.fail(error),
  segmentBytes: 256 * 1024,
} satisfies LogOptions;

describe("the log on the system's files", () => {
  it("begins, fills, removes and reads segments", async (t) => {
    const root = makeTempDir(t);
    const disk = await openDisk(root);
    let { log } = await openLog(disk, "log", OPTIONS);
    const segments = (): string[] => fs.readdirSync(path.join(root, "log"));
    const last = 400;
    for (let index = 1; index <= last; index += 1) {
      if (index % 100 === 0) log.compact(groupId(1), snapshotAt(index - 50, 1));
      await new Promise<void>((resolve) => {
        log.append(appendTo(1, [entry(index, 1, `${index}${"x".repeat(4000)}`)]), resolve);
        log.flush();
      });
    }
    assert(!segments().includes("0000000001.log"), "what is compacted goes");
    await log.close();
    for (let round = 1; round <= 2; round += 1) {
      const opened = await openLog(disk, "log", OPTIONS);
      const group = opened.report.groups.get(groupId(1));
      assert.equal(opened.report.tornTail, undefined);
      assert.equal(group?.snapshot.index, 350);
      assert.deepEqual(
        group.entries.map(({ index, data }) => `${index}` === data.utf8Slice(0, 3)),
        Array.from({ length: 50 }, () => true),
      );
      ({ log } = opened);
      await log.close();
    }
  });

  it("has each segment's blocks on the disk before it is written, twice as many each time up to the bound", async (t) => {
    const root = makeTempDir(t);
    const segmentBytes = 16 * MIB;
    const { log } = await openLog(await openDisk(root), "log", { ...OPTIONS, segmentBytes });
    const directory = path.join(root, "log");
    /** The size that each segment had when it was seen to be begun first, in their order. */
    const begun = new Map<string, number>();
    for (let index = 1; begun.size < 4; index += 1) {
      await new Promise<void>((resolve) => {
        log.append(appendTo(1, [entry(index, 1, "x".repeat(60_000))]), resolve);
        log.flush();
      });
      const current = fs.readdirSync(directory).findLast((name) => isBegun(path.join(directory, name)));
      assert(current !== undefined);
      const { size, blocks } = fs.statSync(path.join(directory, current));
      const known = begun.get(current);
      if (known === undefined) begun.set(current, size);
      // No append makes it longer: what a write needs besides its bytes is done.
      else assert.equal(size, known, `${current} at entry ${index}`);
      assert(blocks * 512 >= size, `${current} has ${blocks} blocks of 512 bytes for ${size} bytes`);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    await log.close();
    const sizes = [...begun.values()].map((size) => size / MIB);
    const planned = [4, 8, 16, 16];
    assert(
      sizes.every((size, n) => size <= planned[n]),
      String(sizes),
    );
    // Where the disk is slow, what is made of a segment when it is needed is all that it gets.
    assert(sizes[3] > 4, String(sizes));
  });
});

/** Whether the segment has its header: its file is there before, full of zeros. */
function isBegun(file: string): boolean {
  const bytes = Buffer.alloc(1);
  const descriptor = fs.openSync(file, "r");
  try {
    return fs.readSync(descriptor, bytes, 0, 1, 0) === 1 && bytes[0] !== 0;
  } finally {
    fs.closeSync(descriptor);
  }
}
