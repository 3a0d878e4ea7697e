/** The simulated connections of the library: what they do to bytes, and that they hurt. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pipe, type PipeEnds } from "../../sim/library/pipe.js";
import { SCENARIOS } from "../../sim/run/scenarios.js";
import { simulate } from "../../sim/run/simulation.js";
import { World } from "../../sim/world/world.js";
import { type Bytes, concatBytes, latin1ToBytes } from "../../src/core/bytes.js";

const LIMIT_MS = 60_000;
const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);

interface Read {
  readonly chunks: Bytes[];
  isEnded: boolean;
  drains: number;
}

function openPipe(world: World, windowBytes: number, cutShare = 0.5): { pipe: Pipe; read: Read } {
  const read: Read = { chunks: [], isEnded: false, drains: 0 };
  const ends: PipeEnds = {
    inReader: (run) => run(),
    onChunk: (chunk) => read.chunks.push(chunk),
    onEnd: () => {
      read.isEnded = true;
    },
    onDrain: () => {
      read.drains += 1;
    },
  };
  const pipe = new Pipe(world, world.random.fork(), { windowBytes, cutShare, resendMs: 200 }, ends);
  pipe.resume();
  return { pipe, read };
}

function bytesOf(text: string): Bytes {
  return latin1ToBytes(text);
}

function textOf({ chunks }: Read): string {
  return concatBytes(chunks).latin1Slice();
}

test("bytes arrive once and in order, cut in other places than they were written, and then the end", async () => {
  for (const seed of SEEDS) {
    const world = new World(seed);
    const { pipe, read } = openPipe(world, seed % 2 === 0 ? 64 : 65_536);
    let written = "";
    const ends = new Set<number>();
    for (let i = 0; i < 100; i += 1) {
      const text = `${seed}-${i};`.repeat(1 + world.random.below(8));
      written += text;
      ends.add(written.length);
      world.schedule(2 * i, () => pipe.write(bytesOf(text)));
    }
    world.schedule(200, () => pipe.end());
    assert(await world.run(LIMIT_MS, () => read.isEnded), `seed ${seed}: the end never came`);
    assert.equal(textOf(read), written, `seed ${seed}`);
    let at = 0;
    const cuts = read.chunks.filter(({ length }) => !ends.has((at += length)));
    assert(cuts.length > 0, `seed ${seed}: never cut`);
    assert.equal(pipe.unsentBytes, 0);
  }
});

test("what the window does not take stays in the writer's memory until the reader reads", async () => {
  const world = new World(1);
  const { pipe, read } = openPipe(world, 4, 0);
  pipe.pause();
  const memory = bytesOf("abcdefgh");
  pipe.write(memory);
  assert.equal(pipe.unsentBytes, 4);
  // As a writer does that takes its memory back too early.
  memory.fill("x".charCodeAt(0));
  pipe.resume();
  await world.run(LIMIT_MS, () => read.drains > 0);
  await world.run(LIMIT_MS, () => textOf(read).length === memory.length);
  assert.equal(textOf(read), "abcdxxxx");
  assert.equal(read.drains, 1);
});

test("what stands still arrives when it flows again, and what is cut never does", async () => {
  const world = new World(1);
  const { pipe, read } = openPipe(world, 1_024);
  pipe.stall();
  pipe.write(bytesOf("late"));
  await world.run(LIMIT_MS, () => false);
  assert.equal(textOf(read), "");
  pipe.flow();
  await world.run(LIMIT_MS, () => textOf(read) === "late");
  pipe.write(bytesOf("lost"));
  pipe.cut();
  await world.run(LIMIT_MS, () => false);
  assert.equal(textOf(read), "late");
});

test("a writer that is gone has sent what had left, and then the end", async () => {
  const world = new World(1);
  const { pipe, read } = openPipe(world, 4, 0);
  pipe.pause();
  pipe.write(bytesOf("abcdefgh"));
  pipe.abandon();
  pipe.resume();
  assert(await world.run(LIMIT_MS, () => read.isEnded));
  assert.equal(textOf(read), "abcd");
});

test("in lives through the library writes are sent again, on other connections, under their numbers", async () => {
  /** By session and number: connections that carried it. */
  const carriers = new Map<string, Set<string>>();
  const lost = new Set<string>();
  const trace = (line: string): void => {
    const [, connection = "", what = ""] = / tcp +(\d+) (.*)/.exec(line) ?? [];
    const reason = /^lost: (.*)/.exec(what)?.[1];
    if (reason !== undefined) lost.add(reason);
    for (const [, name] of what.matchAll(/ONCE\\r\\n\$\d+\\r\\n(\w+\\r\\n\$\d+\\r\\n\d+)\\r/g)) {
      carriers.set(name, (carriers.get(name) ?? new Set()).add(connection));
    }
  };
  for (const seed of [1, 3, 4]) {
    const { violation } = await simulate({
      ...SCENARIOS["library"].options,
      seed,
      durationMs: 2_000,
      workloads: ["library"],
      trace,
    });
    assert.equal(violation, undefined, `seed ${seed}`);
  }
  const repeated = [...carriers.values()].filter(({ size }) => size > 1);
  assert(repeated.length > 10, `${repeated.length} of ${carriers.size} writes were sent again`);
  for (const reason of ["connection refused", "connection reset", "it closed the connection"]) {
    assert(lost.has(reason), `no connection was lost: ${reason}`);
  }
});
