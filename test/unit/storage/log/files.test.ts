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

const OPTIONS: LogOptions = {
  random: systemRandom(),
  onFailure: (error) => assert.fail(error),
  segmentBytes: 256 * 1024,
};

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
});
