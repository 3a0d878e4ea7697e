import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SimDisk, seededChance } from "../../../../sim/disk/sim-disk.js";
import { crc32c } from "../../../../src/core/crc32c.js";
import { MinikeyError } from "../../../../src/core/errors.js";
import { groupId } from "../../../../src/core/ids.js";
import type { GroupStore, StorageEngine } from "../../../../src/ports/storage-engine.js";
import { openMemoryEngine } from "../../../../src/storage/memory/engine.js";
import { appliedState, contentOf, storedValue } from "../../../support/engine-model.js";
import { HandClock } from "../../../support/hand-clock.js";
import { LogRecorder } from "../../../support/log-recorder.js";

const GROUPS = [groupId(1), groupId(2)];
const ROUNDS = 4;
const DIRECTORY = "memory";

interface Node {
  readonly engine: StorageEngine;
  readonly stores: GroupStore[];
  readonly log: LogRecorder;
}

async function openNode(disk: SimDisk): Promise<Node> {
  const log = new LogRecorder();
  const engine = await openMemoryEngine({ disk, directory: DIRECTORY, clock: new HandClock(), logger: log });
  const stores: GroupStore[] = [];
  for (const group of GROUPS) stores.push(await engine.openGroup(group));
  return { engine, stores, log };
}

/** What a group holds after `round` rounds. */
function contentAfter(round: number): ReturnType<typeof contentOf> {
  const data = Array.from({ length: round }, (_, i): [string, string] => [`key ${i + 1}`, `round ${round}`]);
  return { data, expiry: [], meta: round === 0 ? [] : [["round", `${round}`]] };
}

/** In each round all keys so far get a new value, one more key comes, and a checkpoint saves that. */
async function runRounds(node: Node, onDurable: (round: number) => void): Promise<void> {
  let round = node.stores[0].durableIndex() as number;
  for (const store of node.stores) store.onCheckpoint(() => appliedState(round));
  while (round < ROUNDS) {
    round += 1;
    for (const store of node.stores) {
      for (let i = 1; i <= round; i += 1) store.put("data", `key ${i}`, storedValue(`round ${round}`));
      store.put("meta", "round", storedValue(`${round}`));
    }
    await node.engine.checkpoint();
    onDurable(round);
  }
}

/** How many operations a run without faults takes. */
async function countOperations(): Promise<number> {
  const disk = new SimDisk(seededChance(1));
  await runRounds(await openNode(disk), () => undefined);
  return disk.operations;
}

async function checkAfterRestart(disk: SimDisk, durable: number, what: string): Promise<void> {
  const { stores, log } = await openNode(disk);
  for (const store of stores) {
    const round = store.durableIndex() as number;
    assert.ok(round >= durable && round <= durable + 1, `${what}: at ${round}, ${durable} was durable`);
    assert.deepEqual(contentOf(store), contentAfter(round), what);
    if (round > 0) assert.deepEqual(store.restored, appliedState(round), what);
  }
  const rest = disk.paths().filter((path) => !path.endsWith(".snapshot"));
  assert.deepEqual(rest, [], `${what}: ${log.lines.map(({ message }) => message).join()}`);
}

describe("durability of the memory engine", () => {
  for (const how of ["kill", "power loss"] as const) {
    it(`has each group as of one checkpoint after a ${how} at any operation on the disk`, async () => {
      const operations = await countOperations();
      assert.ok(operations > 50);
      const seeds = how === "kill" ? [1] : [1, 2, 3, 4, 5];
      for (const seed of seeds) {
        for (let stopAt = 1; stopAt <= operations; stopAt += 1) {
          const disk = new SimDisk(seededChance(seed * 1000 + stopAt));
          disk.stopAt = stopAt;
          let durable = 0;
          const run = openNode(disk).then((node) =>
            runRounds(node, (round) => {
              durable = round;
            }),
          );
          await Promise.race([run, disk.whenStopped]);
          await checkAfterRestart(
            disk.restart(how),
            durable,
            `seed ${seed}, stop at ${disk.history.at(-1)} (${stopAt})`,
          );
        }
      }
    });
  }

  it("rejects the checkpoint when the disk refuses an operation, and still answers reads", async () => {
    const operations = await countOperations();
    for (let failing = 1; failing <= operations; failing += 1) {
      const disk = new SimDisk(seededChance(failing));
      const node = await openNode(disk);
      if (failing <= disk.operations) continue;
      disk.failAt = { operation: failing, code: "ENOSPC" };
      let durable = 0;
      const what = `failing operation ${failing}`;
      await assert.rejects(
        runRounds(node, (round) => {
          durable = round;
        }),
        (error) =>
          error instanceof MinikeyError && error.code === "DISK_FAILED" && /ENOSPC/.test(error.message),
        what,
      );
      for (const store of node.stores) assert.deepEqual(contentOf(store), contentAfter(durable + 1), what);
      await checkAfterRestart(disk.restart("power loss"), durable, what);
    }
  });

  it("names the file that is damaged, wherever it is, and never serves what it holds", async () => {
    const disk = new SimDisk(seededChance(1));
    await runRounds(await openNode(disk), () => undefined);
    const path = disk.paths().find((name) => name.startsWith(`${DIRECTORY}/1.`)) ?? "";
    const intact = disk.contents(path);
    const damages = [
      ...Array.from(intact, (byte, at) => ({ what: `byte ${at}`, bytes: intact.with(at, byte ^ 0x40) })),
      ...Array.from(intact, (_, length) => ({ what: `length ${length}`, bytes: intact.subarray(0, length) })),
    ];
    for (const { what, bytes } of damages) {
      disk.setContents(path, bytes);
      const engine = openMemoryEngine({
        disk,
        directory: DIRECTORY,
        clock: new HandClock(),
        logger: new LogRecorder(),
      });
      await assert.rejects(
        (await engine).openGroup(GROUPS[0]),
        (error) =>
          error instanceof MinikeyError && error.code === "DATA_CORRUPT" && error.message.includes(path),
        what,
      );
    }
  });

  it("tells a file of a newer version from a damaged one", async () => {
    const disk = new SimDisk(seededChance(1));
    await runRounds(await openNode(disk), () => undefined);
    const path = disk.paths().find((name) => name.startsWith(`${DIRECTORY}/1.`)) ?? "";
    const newer = disk.contents(path);
    newer[6] = 2;
    const headBytes = 28 + newer.readUInt32LE(24);
    newer.writeUInt32LE(crc32c(newer, 0, headBytes), headBytes);
    disk.setContents(path, newer);
    const options = { disk, directory: DIRECTORY, clock: new HandClock(), logger: new LogRecorder() };
    const engine = await openMemoryEngine(options);
    await assert.rejects(engine.openGroup(GROUPS[0]), { code: "DATA_NEWER" });
  });

  it("misses a piece that is gone", async () => {
    const disk = new SimDisk(seededChance(1));
    const { engine, stores } = await openNode(disk);
    stores[0].onCheckpoint(() => appliedState(1));
    for (let i = 0; i < 6000; i += 1) stores[0].put("data", `key ${i}`, storedValue("x".repeat(100)));
    await engine.checkpoint();
    const path = disk.paths().find((name) => name.startsWith(`${DIRECTORY}/1.`)) ?? "";
    const intact = disk.contents(path);
    const headBytes = 28 + appliedState(1).state.length + 4;
    const pieceBytes = intact.readUInt32LE(headBytes);
    assert.ok(headBytes + pieceBytes + 100 < intact.length, "there are several pieces");
    disk.setContents(
      path,
      Buffer.concat([intact.subarray(0, headBytes), intact.subarray(headBytes + 4 + pieceBytes)]),
    );
    const log = new LogRecorder();
    const again = await openMemoryEngine({ disk, directory: DIRECTORY, clock: new HandClock(), logger: log });
    await assert.rejects(
      again.openGroup(GROUPS[0]),
      (error) =>
        error instanceof MinikeyError && error.code === "DATA_CORRUPT" && error.message.includes(path),
    );
  });
});
