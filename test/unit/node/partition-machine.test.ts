/** What a partition does with batches: once each, in order, and nothing behind a lock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { plain } from "../../../sim/cluster/client.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { groupId } from "../../../src/core/ids.js";
import { encodePreparePart } from "../../../src/node/node-commands.js";
import { checkState } from "../../../src/node/partition-machine.js";
import { recordsOf } from "../../support/records.js";
import { apply, newMachine, readOf } from "./partition-fixture.js";

const SESSION = 77;
const OTHER = 88;

function prepare(
  id: string,
  keys: readonly string[],
): readonly (string | ReturnType<typeof encodePreparePart>)[] {
  const part = encodePreparePart({
    participants: [groupId(7)],
    checks: keys.map((key) => ({ key, version: -1 })),
    writes: [],
    wantsValues: false,
  });
  return ["TXN.PREPARE", id, part];
}

test("a repeat of a batch gets the first replies and changes nothing", async () => {
  const machine = await newMachine();
  const batch = {
    session: SESSION,
    sequence: 1,
    commands: [
      ["INCR", "n"],
      ["INCR", "n"],
    ],
  };
  assert.deepEqual(apply(machine, batch).replies, [1, 2]);
  const repeat = apply(machine, batch);
  assert.equal(repeat.status, "applied");
  assert.deepEqual(repeat.replies, [1, 2]);
  assert.deepEqual(apply(machine, { session: SESSION, sequence: 2, commands: [["INCR", "n"]] }).replies, [3]);
});

test("a batch is blocked at the first command that meets a lock, and so is its repeat", async () => {
  const machine = await newMachine();
  apply(machine, { session: OTHER, sequence: 1, commands: [prepare("t", ["held"])] });
  const batch = {
    session: SESSION,
    sequence: 1,
    commands: [
      ["SET", "free", "1"],
      ["SET", "held", "2"],
    ],
  };
  const first = apply(machine, batch);
  assert.equal(first.status, "blocked");
  assert.deepEqual(first.replies.map(plain), ["OK"]);
  const repeat = apply(machine, batch);
  assert.equal(repeat.status, "blocked", "else its origin would take the rest for done, and wait for ever");
  assert.deepEqual(repeat.replies.map(plain), ["OK"]);
});

test("a batch behind a gap is refused, and so is any but the first of an unknown session", async () => {
  const machine = await newMachine();
  const increment = (sequence: number) => ({ session: SESSION, sequence, commands: [["INCR", "n"]] });
  assert.equal(apply(machine, increment(2)).status, "refused");
  assert.equal(apply(machine, increment(1)).status, "applied");
  assert.equal(apply(machine, increment(3)).status, "refused");
  assert.deepEqual(apply(machine, increment(2)).replies, [2]);
  assert.deepEqual(apply(machine, increment(3)).replies, [3]);
});

test("nothing more is applied in a session that met a lock, but what was is still answered", async () => {
  const machine = await newMachine();
  apply(machine, { session: OTHER, sequence: 1, commands: [prepare("t", ["held"])] });
  const first = { session: SESSION, sequence: 1, commands: [["INCR", "n"]] };
  apply(machine, first);
  const second = { session: SESSION, sequence: 2, commands: [["SET", "held", "2"]] };
  assert.equal(apply(machine, second).status, "blocked");
  apply(machine, { session: OTHER, sequence: 2, commands: [["TXN.ABORT", "t"]] });
  assert.equal(
    apply(machine, { session: SESSION, sequence: 3, commands: [["INCR", "n"]] }).status,
    "refused",
  );
  assert.equal(apply(machine, second).status, "blocked", "its origin goes on in another session");
  assert.deepEqual(apply(machine, first).replies, [1]);
});

test("replies are remembered until the origin has them", async () => {
  const machine = await newMachine();
  const increment = (sequence: number, acked: number) => ({
    session: SESSION,
    sequence,
    acked,
    commands: [["INCR", "n"]],
  });
  for (const sequence of [1, 2, 3]) apply(machine, increment(sequence, 0));
  apply(machine, increment(4, 2));
  assert.equal(apply(machine, increment(2, 0)).status, "acknowledged");
  assert.deepEqual(apply(machine, increment(3, 0)).replies, [3]);
});

test("a batch of records that is sent again is not stored again", async () => {
  const machine = await newMachine();
  const load = ["ONCE", "client", "1", "KV.LOAD", "a", recordsOf(["a", "1"], ["b", "2"])];
  const run = (sequence: number, words: readonly string[]) =>
    plain(apply(machine, { session: SESSION, sequence, commands: [words] }).replies[0]);
  assert.equal(run(1, load), 2);
  run(2, ["SET", "a", "newer"]);
  assert.equal(run(3, load), 2);
  const { spec, args } = readOf("GET", "a");
  assert.equal(plain(machine.read(spec, args, 0)), "newer");
});

test("a client's repeat gets the first reply, by whichever node and in whichever batch it comes", async () => {
  const machine = await newMachine();
  const once = (session: number, sequence: number, ...words: string[]) =>
    plain(apply(machine, { session, sequence, commands: [["ONCE", "client", ...words]] }).replies[0]);
  assert.equal(once(SESSION, 1, "1", "INCR", "n"), 1);
  assert.equal(once(OTHER, 1, "1", "INCR", "n"), 1);
  assert.equal(once(OTHER, 2, "2", "incr", "n"), 2);
  assert.equal(once(SESSION, 2, "1", "INCR", "n"), 1);
});

test("a batch of a session that was forgotten is not applied again, and its origin is told what to open instead", async () => {
  const machine = await newMachine();
  const append = { session: SESSION, sequence: 1, commands: [["APPEND", "a", "x"]], acked: 100 };
  assert.equal(apply(machine, append).status, "applied");
  for (let i = 0; i < 4_096; i += 1) {
    apply(machine, { session: 1_000 + i, sequence: 1, commands: [], acked: 200 });
  }
  assert.equal(machine.sessions.origin(SESSION), undefined, "it is forgotten");
  const repeat = apply(machine, append);
  assert.deepEqual([repeat.status, repeat.replies], ["forgotten", [100]]);
  assert.equal(apply(machine, { ...append, sequence: 3, acked: 2 }).status, "forgotten");
  const early = apply(machine, { ...append, session: OTHER, sequence: 2, acked: 0 });
  assert.equal(early.status, "refused", "number 1 may be on its way");
  assert.equal(apply(machine, { ...append, session: OTHER, acked: 101 }).status, "applied");
  const { args, spec } = readOf("GET", "a");
  assert.equal(plain(machine.read(spec, args, 0)), "xx");
});

test("a client's repeat is refused when its session may be one of those forgotten, never applied twice", async () => {
  const machine = await newMachine();
  let sequence = 0;
  const once = (session: string, number: string) => {
    sequence += 1;
    const commands = [["ONCE", session, number, "APPEND", "a", "x"]];
    return plain(apply(machine, { session: SESSION, sequence, commands, acked: sequence - 1 }).replies[0]);
  };
  assert.equal(once("100_first", "1"), 1);
  const commands = Array.from({ length: 16_384 }, (_, i) => ["ONCE", `200_${i}`, "1", "SET", "b", "v"]);
  apply(machine, { session: OTHER, sequence: 1, commands });
  const answer = once("100_first", "1");
  assert(answer instanceof MinikeyError && answer.code === "SESSION_FORGOTTEN", String(answer));
  assert.match(answer.message, /up to second 100 /);
  assert.equal(answer.outcome, "unknown");
  assert.equal(once("101_next", "1"), 2);
  assert.equal(once("101_next", "1"), 2);
});

test("a client's session of the far future is refused: forgotten, it would leave no later name to anybody", async () => {
  const machine = await newMachine();
  const timeMs = Date.UTC(2026, 0, 1);
  const seconds = timeMs / 1000;
  const yearSeconds = 366 * 24 * 60 * 60;
  let sequence = 0;
  const once = (...sessions: string[]) => {
    sequence += 1;
    const commands = sessions.map((session) => ["ONCE", session, "1", "APPEND", "a", "x"]);
    const batch = { session: SESSION, sequence, commands, acked: sequence - 1, timeMs };
    return apply(machine, batch).replies.map(plain);
  };
  const latest = seconds + yearSeconds;
  for (const session of ["9999999999_x", `${latest + 1}_x`]) {
    const [answer] = once(session);
    assert(answer instanceof MinikeyError && answer.code === "BAD_REQUEST", `${session}: ${String(answer)}`);
    assert.equal(answer.outcome, "not-applied");
  }
  // As late as it may be, and enough of it that some are forgotten.
  for (let i = 0; i <= 16_384; i += 128) {
    once(...Array.from({ length: 128 }, (_, j) => `${latest}_${i + j}`));
  }
  const length = Number(once(`${seconds}_old`, `${latest + 1}_next`)[1]);
  assert.deepEqual(once(`${latest + 1}_another`), [length + 1], "what a client opens then is taken");
  assert(once(`${latest + 2}_far`)[0] instanceof MinikeyError);
});

test("no number of a repeat-proof command, whoever let it through, makes a state that cannot be read again", async () => {
  for (const number of ["-1", "-129", "x", "1.5", "1e400"]) {
    const machine = await newMachine();
    const commands = [["ONCE", "client", number, "APPEND", "a", "x"]];
    const [answer] = apply(machine, { session: SESSION, sequence: 1, commands }).replies;
    assert(answer instanceof MinikeyError && answer.code === "SYNTAX", `of number ${number}`);
    checkState(machine.capture());
  }
});
