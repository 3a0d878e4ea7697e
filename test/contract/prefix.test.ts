/**
 * What looks for keys by a prefix touches the keys that have it, and no others, on both engines: counted, by what
 * the engines' ranges look at. The commands, their dialogues over partitions, the views and the engines are the
 * product's; only the node between them is missing.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fanOut } from "../../src/commands/fan-out.js";
import type { Reply } from "../../src/commands/reply.js";
import { runCommand } from "../../src/commands/run.js";
import { ScanCursors } from "../../src/commands/scan-cursor.js";
import { COMMANDS } from "../../src/commands/table.js";
import type { Args, CommandSpec } from "../../src/commands/types.js";
import { EMPTY_BYTES } from "../../src/core/bytes.js";
import { groupId, logIndex, term } from "../../src/core/ids.js";
import { StoreView } from "../../src/node/store-view.js";
import { systemClock } from "../../src/platform/clock.js";
import { openDisk } from "../../src/platform/disk.js";
import { openLmdbEngine } from "../../src/platform/lmdb/engine.js";
import type { StorageEngine } from "../../src/ports/storage-engine.js";
import type { EngineGroup, EngineTable } from "../../src/storage/engine-group.js";
import { openMemoryEngine } from "../../src/storage/memory/engine.js";
import { argsOf, plain } from "../support/commands.js";
import { LogRecorder } from "../support/log-recorder.js";
import { makeTempDir } from "../support/temp-dir.js";

type CountingGroup = EngineGroup<EngineTable & { readonly visits: number }>;

const PARTITIONS = 4;
const WITH_PREFIX = 400;
const OTHERS = 20_000;
/** Of the trie: nodes on the way down, and beside the leaves. Of the tree: the key behind the last. */
const VISITS_A_KEY = 3;
const VISITS_A_PIECE = 16;

const specOf = (args: Args): CommandSpec => COMMANDS.lookup(args.bytes, args.start(0), args.end(0))!;

class CountingDatabase {
  readonly #engine: StorageEngine;
  readonly #groups: CountingGroup[] = [];
  readonly #views: StoreView[] = [];
  readonly #cursors = new ScanCursors();
  /** Pieces that partitions were asked for. */
  pieces = 0;

  constructor(engine: StorageEngine) {
    this.#engine = engine;
  }

  async open(): Promise<void> {
    for (let i = 0; i < PARTITIONS; i += 1) {
      const group = (await this.#engine.openGroup(groupId(i))) as CountingGroup;
      group.onCheckpoint(() => ({ index: logIndex(1), term: term(1), state: EMPTY_BYTES }));
      this.#groups.push(group);
      this.#views.push(new StoreView(group, 100));
    }
  }

  fill(prefix: string, count: number): void {
    for (let i = 0; i < count; i += 1)
      this.#views[i % PARTITIONS].set(prefix + i, "string", EMPTY_BYTES, 0, 0, 0);
  }

  checkpoint(): Promise<void> {
    return this.#engine.checkpoint();
  }

  /** What the engines' ranges have looked at. */
  visits(): number {
    const counts = this.#groups.map(({ tables }) => tables[0].visits);
    // The memory engine counts for all of its tables at once.
    return this.#engine.kind === "memory" ? counts[0] : counts.reduce((sum, count) => sum + count);
  }

  call(...words: readonly string[]): unknown {
    const args = argsOf(...words);
    const context = { partitions: PARTITIONS, cursors: this.#cursors, random: () => 0, isEventual: false };
    const dialogue = fanOut(specOf(args), args, context);
    for (let answers: Reply[] = []; ; ) {
      const step = dialogue.next(answers);
      if (step.kind === "done") return plain(step.reply);
      this.pieces += step.questions.length;
      answers = step.questions.map((question) =>
        runCommand(specOf(question.args), this.#views[question.partition], question.args),
      );
    }
  }

  /** Runs `use`, which finds `found` keys, and fails if it looked at many more. */
  assertTouchesOnly(what: string, found: number, use: () => void): void {
    const visits = this.visits();
    const pieces = this.pieces;
    use();
    const looked = this.visits() - visits;
    const most = VISITS_A_KEY * found + VISITS_A_PIECE * (this.pieces - pieces);
    assert.ok(looked <= most, `${what} looked ${looked} times for ${found} keys`);
    assert.ok(looked >= found, `${what}: the count counts`);
  }
}

async function testPrefix(engine: StorageEngine, t: TestContext): Promise<void> {
  t.after(() => engine.close());
  const database = new CountingDatabase(engine);
  await database.open();
  // Before, behind and around the prefix; some keys on disk, some in memory above them.
  database.fill("a:", OTHERS / 2);
  database.fill("user", OTHERS / 4);
  database.fill("user:", WITH_PREFIX / 2);
  await database.checkpoint();
  database.fill("user:late:", WITH_PREFIX / 2);
  database.fill("z:", OTHERS / 4);

  database.assertTouchesOnly("KEYS user:*", WITH_PREFIX, () => {
    assert.equal((database.call("KEYS", "user:*") as string[]).length, WITH_PREFIX);
  });
  database.assertTouchesOnly("KEYS user:late:*9", WITH_PREFIX / 2, () => {
    assert.equal((database.call("KEYS", "user:late:*9") as string[]).length, WITH_PREFIX / 20);
  });
  database.assertTouchesOnly("KEYS of one key", 1, () => {
    assert.deepEqual(database.call("KEYS", "user:late:7"), ["user:late:7"]);
  });
  for (const count of ["10", "1000"]) {
    database.assertTouchesOnly(`SCAN MATCH user:* COUNT ${count}`, WITH_PREFIX, () => {
      const keys = new Set<string>();
      let cursor = "0";
      do {
        const [next, page] = database.call("SCAN", cursor, "MATCH", "user:*", "COUNT", count) as [
          string,
          string[],
        ];
        for (const key of page) keys.add(key);
        cursor = next;
      } while (cursor !== "0");
      assert.equal(keys.size, WITH_PREFIX);
    });
  }
  // A page in order takes as many keys of each partition as it may need of it.
  database.assertTouchesOnly("KV.LIST user: (GET /kv?prefix=)", 10 * PARTITIONS, () => {
    const [page, more] = database.call("KV.LIST", "user:", "user:100", "10") as [string[], number];
    assert.deepEqual([page.length, page[0], more], [10, "user:101", 1]);
  });
}

test("a prefix is looked for among the keys that have it: on disk", async (t) => {
  const engine = await openLmdbEngine({
    path: makeTempDir(t),
    clock: systemClock(),
    logger: new LogRecorder(),
  });
  await testPrefix(engine, t);
});

test("a prefix is looked for among the keys that have it: in memory", async (t) => {
  const directory = join(makeTempDir(t), "data");
  const engine = await openMemoryEngine({
    disk: await openDisk(directory),
    directory: "memory",
    clock: systemClock(),
    logger: new LogRecorder(),
  });
  await testPrefix(engine, t);
});
