import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DoubleReply, MapReply, OK, type Reply, SetReply, Slice } from "../../../src/commands/reply.js";
import type { Args } from "../../../src/commands/types.js";
import { latin1ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { keyspaceId } from "../../../src/core/ids.js";
import type { ReplySink, RequestContext } from "../../../src/node/database.js";
import { execute, sliceBytes } from "../../../src/server/execute.js";
import { HandClock } from "../../support/hand-clock.js";
import { MemoryDatabase } from "../../support/memory-database.js";

const CONTEXT: RequestContext = {
  keyspace: keyspaceId(0),
  readLevel: "linearizable",
  writeLevel: "quorum",
};

/** Answers every command with `reply`, whose bytes are overwritten as soon as it has been given. */
class LendingDatabase extends MemoryDatabase {
  readonly reply: Reply;
  readonly lent = latin1ToBytes("..borrowed..");

  constructor(make: (slice: Slice) => Reply) {
    super({ clock: new HandClock() });
    this.reply = make(new Slice(this.lent, 2, 10));
  }

  override submit(_args: Args, _context: RequestContext, sink: ReplySink): void {
    sink.onReply(this.reply);
    this.lent.fill(0);
  }
}

const textOf = (reply: Reply): string => {
  assert.ok(reply instanceof Slice);
  return sliceBytes(reply).latin1Slice();
};

describe("execute", () => {
  it("carries out a command of text and bytes, each as it is", async () => {
    const database = new MemoryDatabase({ clock: new HandClock(), partitions: 4 });
    const bytes = latin1ToBytes("\u0000\u00ff");
    assert.equal(await execute(database, CONTEXT, ["SET", "clé", bytes]), OK);
    assert.equal(textOf(await execute(database, CONTEXT, ["GET", Buffer.from("clé")])), "\u0000\u00ff");
    assert.equal(await execute(database, CONTEXT, ["STRLEN", "clé"]), 2);
    assert.equal(await execute(database, CONTEXT, ["SET", "empty", ""]), OK);
    assert.equal(textOf(await execute(database, CONTEXT, ["GET", "empty"])), "");
    assert.equal(await execute(database, CONTEXT, ["GET", "nothing"]), null);
  });

  it("rejects with the database's error", async () => {
    const database = new MemoryDatabase({ clock: new HandClock() });
    await assert.rejects(execute(database, CONTEXT, ["NONSENSE"]), (error: unknown) => {
      return error instanceof MinikeyError && error.code === "UNKNOWN_COMMAND";
    });
  });

  it("copies what the database only lends, however deep", async () => {
    const list = await execute(new LendingDatabase((slice) => [1, [slice]]), CONTEXT, ["X"]);
    assert.equal(textOf((list as Reply[][])[1][0]), "borrowed");

    const map = await execute(new LendingDatabase((slice) => new MapReply([[slice, slice]])), CONTEXT, ["X"]);
    assert.ok(map instanceof MapReply);
    assert.deepEqual(map.entries[0].map(textOf), ["borrowed", "borrowed"]);

    const set = await execute(new LendingDatabase((slice) => new SetReply([slice])), CONTEXT, ["X"]);
    assert.ok(set instanceof SetReply);
    assert.deepEqual(set.items.map(textOf), ["borrowed"]);
  });

  it("gives back unchanged what holds no bytes", async () => {
    const error = new MinikeyError("NOT_FOUND", "one of several");
    for (const reply of [0, 5n, "text", true, null, OK, new DoubleReply(1.5)] as const) {
      assert.equal(await execute(new LendingDatabase(() => reply), CONTEXT, ["X"]), reply);
    }
    const list = await execute(new LendingDatabase(() => [error]), CONTEXT, ["X"]);
    assert.deepEqual(list, [error]);
  });
});
