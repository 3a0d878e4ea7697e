/** Writes that wait for replicas to be reached again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MinikeyError } from "../../../../src/core/errors.js";
import { Peers } from "./peers.js";

for (const writeLevel of ["quorum", "one"] as const) {
  test(`a write at ${writeLevel} does not overtake one that waits for replicas`, async () => {
    const peers = await Peers.start([{}, {}, {}]);
    const [n1, n2, n3] = peers.nodes;
    for (const other of [n2, n3]) other.isDown = true;
    const first = n1.submit(["SET", "k", "first"], { writeLevel: "quorum" });
    await peers.pass(5);
    for (const other of [n2, n3]) other.isDown = false;
    n1.submit(["SET", "k", "second"], { writeLevel });
    await peers.pass(500);
    assert.equal(await n1.ask(["GET", "k"]), "second");
    assert.deepEqual(first.answers, [], "it waits for copies");
  });
}

test("a write that waits for replicas in vain is refused, and nothing is written", async () => {
  const peers = await Peers.start([{}, {}, {}]);
  const [n1, n2, n3] = peers.nodes;
  for (const other of [n2, n3]) other.isDown = true;
  const answer = await n1.ask(["SET", "k", "v"], { writeLevel: "quorum" });
  assert(answer instanceof MinikeyError && answer.code === "NO_QUORUM", String(answer));
  await peers.pass(500);
  assert.equal(await n1.ask(["GET", "k"]), null);
});

test("a write at one is taken while others wait in vain for replicas", async () => {
  const peers = await Peers.start([{}, {}, {}]);
  const [n1, n2, n3] = peers.nodes;
  for (const other of [n2, n3]) other.isDown = true;
  n1.submit(["SET", "k", "never"], { writeLevel: "quorum" });
  const taken = [];
  // All along, and when those that wait are refused.
  for (let i = 0; i < 150; i += 1) {
    taken.push(n1.submit(["SET", "k", `${i}`], { writeLevel: "one" }));
    await peers.pass(10);
  }
  await peers.pass(100);
  assert.deepEqual([...new Set(taken.flatMap(({ answers }) => answers))], ["OK"]);
  assert(taken.every(({ answers }) => answers.length === 1));
});
