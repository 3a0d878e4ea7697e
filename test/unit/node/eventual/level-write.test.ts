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
