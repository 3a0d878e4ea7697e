/** Whole nodes without a majority: how soon requests are refused, and that a fail-over is not taken for that. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "../../../sim/cluster/client.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { ask, keysApart, pass, startedCluster, until } from "./scenario.js";

const KNOWN_AFTER_MS = 1_700;

test("with two of three nodes down requests are refused within 3 s, and at once when the node knows", async () => {
  for (const way of ["killed", "cut off"]) {
    const cluster = await startedCluster({ replicas: 3 });
    const { world } = cluster;
    const [sim, ...others] = cluster.nodes;
    const [a, b] = keysApart(3, 2);
    assert.equal(await ask(cluster, sim, ["MSET", a, "1", b, "1"]), "OK");
    for (const other of others) {
      if (way === "killed") cluster.crash(other);
      else world.network.cut(sim.id, other.id);
    }
    const requests = [
      ["SET", a, "2"],
      ["GET", a],
      ["MGET", a, b],
      ["MSET", a, "3", b, "3"],
      ["DEL", a, b],
    ];
    const expectRefused = async (withinMs: number) => {
      const startMs = world.nowMs;
      for (const words of requests) {
        const answer = await ask(cluster, sim, words);
        const text = `${way}: ${words.join(" ")} got ${String(answer)} after ${world.nowMs - startMs} ms`;
        assert(answer instanceof MinikeyError && answer.code === "NO_QUORUM", text);
        assert(world.nowMs - startMs <= withinMs, text);
      }
    };
    const downMs = world.nowMs;
    const answers: unknown[] = [];
    for (const words of requests) {
      cluster.submissions.submit(sim, words, newContext(), (answer) => answers.push(answer));
    }
    await until(cluster, "all are answered", () => answers.length === requests.length);
    assert(world.nowMs - downMs <= 3_000, `${way}: the last was answered after ${world.nowMs - downMs} ms`);
    assert(answers.every((answer) => answer instanceof MinikeyError));
    await pass(cluster, KNOWN_AFTER_MS);
    await expectRefused(500);
    assert.equal(await ask(cluster, sim, ["GET", a], { readLevel: "stale" }), "1");
    if (way === "killed") cluster.startSoon(others[0]);
    else world.network.healAll();
    const isServed = async () => (await ask(cluster, sim, ["MSET", a, "4", b, "4"])) === "OK";
    const startMs = world.nowMs;
    while (!(await isServed())) await pass(cluster, 50);
    assert(world.nowMs - startMs < 5_000, `${way}: served again after ${world.nowMs - startMs} ms`);
  }
});

test("the first request ever is refused as soon as the next", async () => {
  const cluster = await startedCluster();
  const [sim, ...others] = cluster.nodes;
  for (const other of others) cluster.crash(other);
  await pass(cluster, KNOWN_AFTER_MS);
  const startMs = cluster.world.nowMs;
  const answer = await ask(cluster, sim, ["SET", "key", "value"]);
  assert(answer instanceof MinikeyError && answer.code === "NO_QUORUM", String(answer));
  assert(cluster.world.nowMs - startMs <= 100, `after ${cluster.world.nowMs - startMs} ms`);
});

test("a fail-over is ridden out: no request that waits for the next leader is refused", async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const cluster = await startedCluster({ seed, partitions: 3 });
    const { world } = cluster;
    await pass(cluster, 3_000);
    const victim = world.random.pick(cluster.nodes);
    const others = cluster.nodes.filter((sim) => sim !== victim);
    let open = 0;
    let isOver = false;
    const step = () => {
      for (const sim of others) {
        for (const words of [
          ["SET", `key${seed}`, "v"],
          ["GET", "key"],
        ]) {
          open += 1;
          cluster.submissions.submit(sim, words, newContext(), (answer) => {
            open -= 1;
            if (!(answer instanceof MinikeyError) || answer.code === "OUTCOME_UNKNOWN") return;
            cluster.submissions.violations.push(`seed ${seed}: ${words.join(" ")} got ${answer.message}`);
          });
        }
      }
      if (!isOver) world.schedule(20, step);
    };
    step();
    await pass(cluster, 100);
    if (seed % 2 === 0) cluster.crash(victim);
    else victim.process?.pause();
    await pass(cluster, 3_000);
    isOver = true;
    await until(cluster, "all is answered", () => open === 0);
  }
});
