/**
 * The clients of a mode on nodes that share one database, that never tell each other anything, or that are not there:
 * what is counted.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { TestClient } from "../../../../src/cli/workload/clients-file.js";
import { Judge } from "../../../../src/cli/workload/judge.js";
import { Lines } from "../../../../src/cli/workload/lines.js";
import { ModeRun } from "../../../../src/cli/workload/mode-run.js";
import { MODES } from "../../../../src/cli/workload/modes.js";
import { NodeLink } from "../../../../src/cli/workload/nodes.js";
import { OrderWatch } from "../../../../src/cli/workload/order-watch.js";
import type { Tally } from "../../../../src/cli/workload/tally.js";
import { argsOf } from "../../../support/commands.js";
import { type MemoryServer, startMemoryServer } from "../../../support/memory-server.js";
import { freePorts } from "../../../support/ports.js";

interface Ran {
  readonly tally: Tally;
  readonly printed: readonly string[];
  readonly notes: readonly string[];
}

/** Clients by id; each has pairs of key and value. */
type Clients = Readonly<Record<string, readonly (readonly [string, string])[]>>;

const clientsOf = (clients: Clients): TestClient[] =>
  Object.entries(clients).map(([id, pairs]) => ({
    id,
    pairs: pairs.map(([key, value]) => ({ key, value })),
  }));

async function runOn(
  t: TestContext,
  addresses: readonly string[],
  clients: Clients,
  { seed = 1, onLine = () => undefined }: { seed?: number; onLine?: (line: string) => void } = {},
): Promise<Ran> {
  const links = addresses.map((address, i) => {
    return new NodeLink({ name: `n${i + 1}`, label: `${i + 1}`, address }, 0, 1_000);
  });
  t.after(() => Promise.all(links.map((link) => link.close())));
  const printed: string[] = [];
  const notes: string[] = [];
  const print = (line: string): void => {
    printed.push(line);
    onLine(line);
  };
  const run = new ModeRun({
    mode: MODES.sequential,
    clients: clientsOf(clients),
    links,
    judge: new Judge("absent"),
    order: new OrderWatch(links.length),
    wait: { minMs: 0, maxMs: 2 },
    patienceMs: 200,
    seed,
    lines: new Lines(print, (line) => notes.push(line), true),
    stop: new AbortController().signal,
  });
  await run.run();
  return { tally: run.tally, printed, notes };
}

async function startServers(t: TestContext, count: number): Promise<MemoryServer[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => startMemoryServer()));
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  return servers;
}

const linesWith = ({ printed }: Ran, word: string): string[] => printed.filter((line) => line.includes(word));

test("on nodes that share a database nothing is stale, and every write is everywhere", async (t) => {
  const [{ address }] = await startServers(t, 1);
  const ran = await runOn(t, [address, address, address], {
    a: [
      ["k", "a1"],
      ["l", ""],
      ["k", "a2"],
    ],
    b: [
      ["k", "b1"],
      ["m", "x:y"],
    ],
  });
  const { tally } = ran;
  // Five puts and four removes, each read on three nodes.
  assert.deepEqual([tally.writes, tally.reads, tally.errors], [9, 27, 0]);
  assert.deepEqual([tally.staleReads, tally.outOfOrder, tally.notConverged], [0, 0, 0]);
  assert.equal(tally.convergedMs.length, 9);
  const equal = { keys: 3, isEqual: true, silent: [], differing: [], outdated: [] };
  assert.deepEqual(tally.endStates, [
    { round: "put", ...equal },
    { round: "remove", ...equal },
  ]);
  assert.equal(linesWith(ran, "GET l -> Result null --> Expected null").length, 3);
  assert.equal(linesWith(ran, 'GET l -> Result "" --> Expected ""').length, 3);
  assert.equal(linesWith(ran, " PUT ").length + linesWith(ran, " REMOVE ").length, 9);
  assert.equal(linesWith(ran, " HAS ").length, 27);
});

test("on nodes that never tell each other anything reads are stale, writes nowhere else, and the end differs", async (t) => {
  const addresses = (await startServers(t, 3)).map((server) => server.address);
  // With this seed the second node is put to, so that the first shows what is expected of none.
  const ran = await runOn(t, addresses, { 0: [["k", "v"]] }, { seed: 3 });
  const { tally } = ran;
  assert.match(ran.printed[0], /^Client 0 Node 2 - PUT k v -> OK after /);
  assert.equal(linesWith(ran, "GET k -> Result v --> Expected v").length, 1);
  assert.equal(linesWith(ran, "GET k -> Result null --> Expected v (stale)").length, 2);
  assert.equal(linesWith(ran, "HAS k -> v after").length, 1);
  const left = linesWith(ran, "GET k -> Result v --> Expected null (stale)").length;
  assert.equal(tally.staleReads, 2 + left);
  assert.ok(tally.notConverged > 0);
  assert.deepEqual(tally.endStates[0], {
    round: "put",
    keys: 1,
    isEqual: false,
    silent: [],
    differing: ["k"],
    outdated: [],
  });
  assert.equal(ran.notes[0], "sequential, after the round of puts: k differs: n1 null, n2 v, n3 null");
});

test("a write that is lost behind everybody's back is nowhere, read stale, and outdated in the end", async (t) => {
  const [{ database, address }] = await startServers(t, 1);
  const onLine = (line: string): void => {
    if (line.includes(" PUT k ")) database.execute(argsOf("SET", "k", "foreign"));
  };
  const { tally, notes } = await runOn(t, [address], { 0: [["k", "v"]] }, { onLine });
  assert.deepEqual([tally.staleReads, tally.notConverged, tally.convergedMs.length], [1, 1, 1]);
  const [put, remove] = tally.endStates;
  assert.deepEqual([put.isEqual, put.outdated], [true, ["k"]]);
  assert.deepEqual([remove.isEqual, remove.outdated], [true, []]);
  assert.deepEqual(notes, ["sequential, after the round of puts: k is foreign, which was overwritten"]);
});

test("a node that is not there is named once and counted, and the others are worked on", async (t) => {
  const [{ address }] = await startServers(t, 1);
  const [port] = await freePorts(1);
  const missing = `127.0.0.1:${port}`;
  const pairs = Array.from({ length: 8 }, (_, i) => [`k${i}`, `v${i}`] as const);
  const ran = await runOn(t, [address, missing], { 0: pairs });
  const { tally } = ran;
  const refusedWrites = [...linesWith(ran, " PUT "), ...linesWith(ran, " REMOVE ")].filter((line) =>
    line.endsWith("Error connection refused"),
  ).length;
  assert.ok(
    refusedWrites > 0 && refusedWrites < 16,
    `${refusedWrites} of 16 writes went to the missing node`,
  );
  assert.equal(linesWith(ran, "Node 2 - GET").length, 16);
  assert.equal(tally.errors, 16 + refusedWrites);
  assert.equal(tally.staleReads, 0);
  assert.deepEqual(linesWith(ran, " or "), [], "a write that was refused is not expected");
  assert.equal(tally.notConverged, 16 - refusedWrites);
  assert.deepEqual(
    tally.endStates.map(({ isEqual, silent }) => [isEqual, silent]),
    [
      [true, ["n2"]],
      [true, ["n2"]],
    ],
  );
  assert.deepEqual(ran.notes, [`n2 (${missing}) does not answer: connection refused`]);
});
