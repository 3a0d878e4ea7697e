import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seededChance } from "../../../../sim/disk/sim-disk.js";
import { MinikeyError } from "../../../../src/core/errors.js";
import { groupId } from "../../../../src/core/ids.js";
import { appendTo, entry, hardState, snapshotAt } from "./log-model.js";
import { LogRun, turn } from "./log-run.js";

const SEGMENT_BYTES = 4096;

/** A life of a log that opens, begins segments, removes segments, and closes. */
async function live(run: LogRun): Promise<void> {
  for (let i = 1; i <= 24 && run.failures.length === 0 && !run.disk.stopped; i += 1) {
    for (const group of [1, 2]) {
      const append = appendTo(group, [entry(i, 1, `${group}/${i} ${"x".repeat(300)}`)], {
        hardState: hardState(1, 1, i - 1),
      });
      run.give({ kind: "append", append });
    }
    if (i % 6 === 0) {
      for (const group of [1, 2]) {
        run.give({ kind: "compact", group: groupId(group), snapshot: snapshotAt(i - 2, 1) });
      }
    }
    await run.settle();
    await turn();
  }
  await Promise.race([run.log?.close(), run.disk.whenStopped]);
}

/** One such life with the disk's operation `operation` refused; false when there was none with that number. */
async function liveWithFailure(seed: number, operation: number, code: string): Promise<boolean> {
  const run = new LogRun(seededChance(seed), SEGMENT_BYTES);
  run.disk.failAt = { operation, code };
  const where = (): string => `seed ${seed}, operation ${operation}: ${run.disk.history[operation - 1]}`;
  let failure: unknown;
  try {
    await run.open();
    await live(run);
    failure = run.failures.at(0);
    assert(run.failures.length <= 1, `${where()}: told once`);
  } catch (error) {
    failure = error;
  }
  if (run.disk.operations < operation) return false;
  if (run.fullAt.length > 0) {
    // Ahead of need: it went on, and has all of it.
    assert.deepEqual([failure, code, run.allAcknowledged], [undefined, "ENOSPC", true], where());
    run.restart("power loss");
    await run.open();
    return true;
  }
  assert(failure instanceof MinikeyError, `${where()}: a MinikeyError, not ${String(failure)}`);
  assert.equal(failure.code, "DISK_FAILED", where());
  assert.match(failure.message, code === "ENOSPC" ? /the disk is full \(ENOSPC\)/ : /EIO/, where());
  assert.match(failure.message, /^cannot [a-z ]+ log/, where());
  // The process ends. What its successor finds in the page cache it relies on, so it must outlast a power loss.
  run.restart("kill");
  await run.open();
  run.restart("power loss");
  await run.open();
  return true;
}

describe("the log, when the disk refuses", () => {
  for (const code of ["EIO", "ENOSPC"]) {
    it(`tells ${code} once, at any operation, acknowledges nothing more, and loses nothing acknowledged`, async () => {
      for (let seed = 1; seed <= 4; seed += 1) {
        let operation = 1;
        while (await liveWithFailure(seed, operation, code)) operation += 1;
        assert(operation > 70, `the life has operations enough: ${operation}`);
      }
    });
  }

  it("refuses to open at any operation of opening, and opens later as if nothing had happened", async () => {
    for (let seed = 1; seed <= 4; seed += 1) {
      const run = new LogRun(seededChance(seed), SEGMENT_BYTES);
      await run.open();
      run.disk.stopAt = 40 + seed;
      await live(run);
      run.restart("power loss");
      for (let operation = 1; ; operation += 1) {
        run.disk.failAt = { operation, code: "EIO" };
        const opened = run.open();
        const isOpen = await opened.then(
          () => true,
          () => false,
        );
        if (isOpen) break;
        await assert.rejects(opened, { code: "DISK_FAILED" }, `seed ${seed}, operation ${operation}`);
        assert.equal(run.failures.length, 0, "told by the rejection alone");
        run.restart(operation % 2 === 0 ? "kill" : "power loss");
      }
    }
  });

  it("takes no append after a failure, and closes", async () => {
    const run = new LogRun(seededChance(1), SEGMENT_BYTES);
    await run.open();
    run.disk.failAt = { operation: run.disk.operations + 1, code: "EIO" };
    run.give({ kind: "append", append: appendTo(1, [entry(1, 1, "a")]) });
    await run.settle();
    assert.equal(run.failures.length, 1);
    run.give({ kind: "append", append: appendTo(1, [entry(2, 1, "b")]) });
    run.log?.flush();
    const { operations } = run.disk;
    await turn();
    await turn();
    assert.equal(run.disk.operations, operations, "nothing more was asked of the disk");
    assert.equal(run.allAcknowledged, false);
    await run.log?.close();
    assert.equal(run.failures.length, 1);
  });

  it("goes on while the current segment has room when the disk is full, and ends when that is used up", async () => {
    const run = new LogRun(seededChance(1), 64 * 1024);
    await run.open();
    run.disk.isFull = true;
    let answered = 0;
    for (let i = 1; run.failures.length === 0 && i <= 200; i += 1) {
      run.give({ kind: "append", append: appendTo(1, [entry(i, 1, "x".repeat(1_000))]) });
      await run.settle();
      if (run.allAcknowledged) answered = i;
    }
    assert(run.fullAt.length > 0);
    assert.match(String(run.failures[0]), /the disk is full \(ENOSPC\)/);
    // Each takes two blocks of 512 bytes or so: most of the segment.
    assert(answered > 30, `${answered} were answered`);
    run.disk.isFull = false;
    run.restart("power loss");
    await run.open();
  });
});
