/**
 * What must hold of an eventual keyspace once the faults are over and nobody writes or reads any more: its replicas
 * become equal, and what they have is what was written; deletions end, and leave nothing.
 */
import { msOf } from "../../src/core/hybrid-clock.js";
import type { GroupId, NodeId } from "../../src/core/ids.js";
import type { EventualRecord } from "../../src/eventual/types.js";
import { isKnown, newContext } from "../cluster/client.js";
import type { SimCluster, SimNode } from "../cluster/cluster.js";
import type { EventualKeyspace } from "../cluster/eventual-keyspace.js";
import type { InspectedGroup } from "../disk/slow-disk.js";
import { type EventualStanding, readStanding, readStored } from "./eventual-codec.js";
import { KnownKey, partsOf, partText } from "./eventual-known.js";
import { tableProblem } from "./eventual-tables.js";
import { Violation } from "./violation.js";

/** As issued: after the heal, without any read. */
const EQUAL_LIMIT_MS = 5_000;
/** From then on: for the rounds in which all say that they have a deletion. */
const ENDED_LIMIT_MS = 10_000;
const ANSWER_LIMIT_MS = 5_000;
/** So far a node may be from the median of the clocks, and its neighbour on the other side of it. */
const CLOCKS_APART_MS = 1_500;
const EPOCH_MS = 1_700_000_000_000;
const LOOK_EVERY_MS = 20;

interface Replica {
  readonly node: NodeId;
  readonly standing: EventualStanding;
  /** By key. */
  readonly records: ReadonlyMap<string, EventualRecord>;
  readonly group: InspectedGroup;
}

/** Waits for it, and throws when it does not come. */
export async function awaitConvergence(cluster: SimCluster): Promise<void> {
  const { eventual, world } = cluster;
  if (eventual === undefined) return;
  const look = everyFewMs(world, () => differencesOf(cluster, eventual));
  if (!(await world.run(EQUAL_LIMIT_MS, () => isOver(cluster) || look().length === 0))) {
    const different = differencesOf(cluster, eventual).join("; ");
    throw new Violation("convergence", `not equal ${EQUAL_LIMIT_MS} ms after the heal: ${different}`);
  }
  const left = everyFewMs(world, () => deletionsLeft(cluster, eventual));
  if (!(await world.run(ENDED_LIMIT_MS, () => isOver(cluster) || left().length === 0))) {
    const text = deletionsLeft(cluster, eventual).join("; ");
    throw new Violation("deletions end", `left ${ENDED_LIMIT_MS} ms after all replicas were equal: ${text}`);
  }
  // A command that was long on its way to a node may still come.
  const wrong = everyFewMs(world, () => contentProblems(cluster, eventual));
  if (!(await world.run(EQUAL_LIMIT_MS, () => isOver(cluster) || wrong().length === 0))) {
    throw new Violation("what was written is there", contentProblems(cluster, eventual).join("; "));
  }
  if (isOver(cluster)) return;
  checkStates(cluster, eventual);
  await checkAnswers(cluster, eventual);
}

/** Something else is broken already. */
function isOver({ violations, fatal }: SimCluster): boolean {
  return violations.length + fatal.length > 0;
}

/** To be asked after every event: looks again now and then. */
function everyFewMs<T>(world: SimCluster["world"], look: () => T): () => T {
  let lookedMs = Number.NEGATIVE_INFINITY;
  let seen: T;
  return () => {
    if (world.nowMs - lookedMs >= LOOK_EVERY_MS) {
      lookedMs = world.nowMs;
      seen = look();
    }
    return seen;
  };
}

/** Of the nodes that are to hold `group` those that have it open. */
function replicasOf(cluster: SimCluster, eventual: EventualKeyspace, group: GroupId): Replica[] {
  return eventual.placementOf(group).flatMap((node) => {
    const open = openGroup(cluster.nodeNamed(node), group);
    const applied = open?.captureApplied();
    if (open === undefined || applied === undefined) return [];
    const records = new Map<string, EventualRecord>();
    for (const [key, bytes] of open.captureTables().data) {
      records.set(key, readStored({ bytes, start: 0, end: bytes.length }));
    }
    return [{ node, standing: readStanding(applied.state), records, group: open }];
  });
}

export function openGroup({ diskEngine, memoryEngine }: SimNode, group: GroupId): InspectedGroup | undefined {
  return diskEngine?.groups.get(group) ?? memoryEngine?.groups.get(group);
}

/** Replicas that differ, in words. */
function differencesOf(cluster: SimCluster, eventual: EventualKeyspace): string[] {
  return eventual.groups.flatMap((group) => {
    const replicas = replicasOf(cluster, eventual, group);
    const missing = eventual.placementOf(group).length - replicas.length;
    if (missing > 0) return [`group ${group}: ${missing} replicas are not there`];
    const [first, ...others] = replicas;
    const differ = others.flatMap((other) => {
      const difference = differenceOf(first, other, latestMs(cluster));
      return difference === undefined
        ? []
        : [`group ${group}, ${first.node} and ${other.node}: ${difference}`];
    });
    const incomplete = replicas.filter(({ standing }) => !standing.isComplete);
    return [...differ, ...incomplete.map(({ node }) => `group ${group}: ${node} is not complete`)];
  });
}

function differenceOf(a: Replica, b: Replica, overMs: number): string | undefined {
  const [ours, theirs] = [a.standing.vector, b.standing.vector].map((vector) => JSON.stringify(vector));
  if (ours !== theirs) return `vectors ${ours} and ${theirs}`;
  for (const key of new Set([...a.records.keys(), ...b.records.keys()])) {
    const [one, other] = [a.records.get(key), b.records.get(key)];
    if (isGone(one, overMs) && isGone(other, overMs)) continue;
    const [here, there] = [comparedText(one), comparedText(other)];
    if (here !== there) return `${key} is ${here} and ${there}`;
  }
  const isSame = a.standing.fingerprints.sameRoot(b.standing.fingerprints);
  const isGoing = [...a.records.values(), ...b.records.values()].some((record) => isGone(record, overMs));
  const tombstones = a.standing.tombstones + b.standing.tombstones;
  return isSame || isGoing || tombstones > 0 ? undefined : "other fingerprints of the same records";
}

/** Deletions go on each replica by itself, and so does what expires by `overMs`. */
function isGone(record: EventualRecord | undefined, overMs = 0): boolean {
  if (record === undefined || KnownKey.of(record).text === undefined) return true;
  return record.expiresAtMs !== 0 && record.expiresAtMs <= overMs;
}

/** All that the replicas must agree on; an expired value is the value that it was. */
function comparedText(record: EventualRecord | undefined): string {
  if (record === undefined) return "nothing";
  const text = record.expiresAtMs === 0 ? KnownKey.of(record).text : "a value that expires";
  return [text, ...partsOf(record).map(partText)].join(", ");
}

/** Deletions, and values whose time is over, that some replica still keeps. */
function deletionsLeft(cluster: SimCluster, eventual: EventualKeyspace): string[] {
  const nowMs = medianMs(cluster);
  return eventual.groups.flatMap((group) =>
    replicasOf(cluster, eventual, group).flatMap(({ node, records }) => {
      const keys = [...records].filter(([, record]) => isToGo(record, nowMs)).map(([key]) => key);
      return keys.length > 0 ? [`group ${group}: ${node} keeps ${keys.join(" ")}`] : [];
    }),
  );
}

function isToGo(record: EventualRecord, nowMs: number): boolean {
  const { expiresAtMs } = record;
  const isOverdue = expiresAtMs !== 0 && expiresAtMs < nowMs - CLOCKS_APART_MS;
  const latestMs = Math.max(...partsOf(record).map(({ stamp }) => msOf(stamp)));
  return (isOverdue || (isGone(record) && record.type !== "expired")) && latestMs < nowMs - CLOCKS_APART_MS;
}

/** What the nodes take for the time, about. */
function medianMs({ nodes, world }: SimCluster): number {
  const skews = nodes.map(({ process }) => process?.skewMs ?? 0).sort((a, b) => a - b);
  return EPOCH_MS + world.nowMs + skews[(skews.length - 1) >> 1];
}

/** What expires later than this, no node can have seen as expired, whatever its clock said. */
function latestMs({ world, skewMs }: SimCluster): number {
  return EPOCH_MS + world.nowMs + skewMs + CLOCKS_APART_MS;
}

/** Every replica has what the writes that are on disks come to, by their definition. */
function contentProblems(cluster: SimCluster, eventual: EventualKeyspace): string[] {
  const overMs = latestMs(cluster);
  return eventual.groups.flatMap((group) => {
    const expected = cluster.eventualSafety.joined(group);
    return replicasOf(cluster, eventual, group).flatMap(({ node, records }) =>
      [...new Set([...records.keys(), ...expected.keys()])].flatMap((key) => {
        const problem = contentProblem(records.get(key), expected.get(key), overMs);
        return problem === undefined ? [] : [`group ${group}: ${node}: ${key} ${problem}`];
      }),
    );
  });
}

/** Vectors are true, and the tables beside the records agree with these. */
function checkStates(cluster: SimCluster, eventual: EventualKeyspace): void {
  for (const group of eventual.groups) {
    for (const { node, standing, group: open } of replicasOf(cluster, eventual, group)) {
      cluster.eventualSafety.checkVector(node, group, standing.vector);
      const problem = tableProblem(open.captureTables(), standing);
      if (problem === undefined) continue;
      throw new Violation("tables of eventual keyspaces", `group ${group}: ${node}: ${problem}`);
    }
  }
}

function contentProblem(
  record: EventualRecord | undefined,
  expected: KnownKey | undefined,
  overMs: number,
): string | undefined {
  if (expected === undefined) return "was never written";
  const { expiresAtMs } = expected;
  // Whether it is gone already is each node's own clock's to say.
  if (expiresAtMs !== 0 && expiresAtMs <= overMs) return undefined;
  const is = record === undefined ? undefined : KnownKey.of(record);
  if (is?.text !== expected.text) return `is ${String(is?.text)}, and not ${String(expected.text)}`;
  if (is === undefined || is.text === undefined || is.expiresAtMs === expiresAtMs) return undefined;
  return `expires at ${is.expiresAtMs}, and not at ${expiresAtMs}`;
}

/** Each node lists what is there. */
async function checkAnswers(cluster: SimCluster, eventual: EventualKeyspace): Promise<void> {
  for (const sim of cluster.nodes) {
    const before = contentOf(cluster, eventual);
    const answer = await ask(cluster, eventual, sim, ["KEYS", "*"]);
    if (isOver(cluster)) return;
    if (!Array.isArray(answer)) throw new Violation("scans", `${sim.id} answers KEYS with ${String(answer)}`);
    const keys = new Set(answer as string[]);
    // What the library sent twice may still arrive.
    const after = contentOf(cluster, eventual);
    const missing = [...before.certain].filter((key) => after.certain.has(key) && !keys.has(key));
    const invented = [...keys].filter((key) => !before.possible.has(key) && !after.possible.has(key));
    if (missing.length + invented.length === 0) continue;
    const text = `lacks ${missing.join(" ")}, and has ${invented.join(" ")}`;
    throw new Violation("scans", `${sim.id}: what KEYS lists ${text}`);
  }
}

/** The keys that are there, certainly and, since their expiry may have come, possibly. */
function contentOf(
  cluster: SimCluster,
  eventual: EventualKeyspace,
): { readonly certain: ReadonlySet<string>; readonly possible: ReadonlySet<string> } {
  const all = eventual.groups.flatMap((group) => [...cluster.eventualSafety.joined(group)]);
  const possible = all.filter(([, { text }]) => text !== undefined);
  const certain = possible.filter(([, { expiresAtMs }]) => expiresAtMs === 0);
  return {
    certain: new Set(certain.map(([key]) => key)),
    possible: new Set(possible.map(([key]) => key)),
  };
}

const LAST_KEYS = 6;

/** No clock wins for ever: whoever overwrites now what is everywhere wins, and so does whoever deletes. */
export async function checkLastWrites(cluster: SimCluster): Promise<void> {
  const { eventual, world } = cluster;
  if (eventual === undefined) return;
  const keys = eventual.groups.flatMap((group) => [...cluster.eventualSafety.joined(group).keys()]);
  const last = new Map<string, string | null>();
  for (const key of world.random.shuffled(keys).slice(0, LAST_KEYS)) {
    const isSet = world.random.chance(0.7);
    const value = `last of ${key}`;
    const words = isSet ? ["SET", key, value] : ["DEL", key];
    const answer = await ask(cluster, eventual, world.random.pick(cluster.nodes), words);
    if (isOver(cluster)) return;
    if (answer === "OK" || typeof answer === "number") last.set(key, isSet ? value : null);
    else throw new Violation("liveness", `${words.join(" ")}: ${String(answer)}`);
  }
  const untilMs = world.nowMs + EQUAL_LIMIT_MS;
  for (const [key, value] of last) {
    for (const sim of cluster.nodes) {
      let answer = await ask(cluster, eventual, sim, ["GET", key]);
      while (answer !== value && world.nowMs < untilMs && !isOver(cluster)) {
        await world.run(LOOK_EVERY_MS, () => false);
        answer = await ask(cluster, eventual, sim, ["GET", key]);
      }
      if (answer === value || isOver(cluster)) continue;
      const was = value === null ? "was deleted" : `was set to ${value}`;
      throw new Violation("the last write wins", `${key} ${was}, and ${sim.id} says ${String(answer)}`);
    }
  }
}

async function ask(
  cluster: SimCluster,
  { id }: EventualKeyspace,
  sim: SimNode,
  words: readonly string[],
): Promise<unknown> {
  const { world, submissions } = cluster;
  const context = newContext({ keyspace: id, readLevel: "one", writeLevel: "one" });
  const untilMs = world.nowMs + ANSWER_LIMIT_MS;
  for (;;) {
    // One that was told to stop may be on its way back.
    await world.run(untilMs - world.nowMs, () => sim.node?.isReady === true || isOver(cluster));
    if (sim.node === undefined) return "not running";
    const answers: unknown[] = [];
    submissions.submit(sim, words, context, (answer) => answers.push(answer));
    await world.run(
      untilMs - world.nowMs,
      () => answers.length > 0 || sim.node === undefined || isOver(cluster),
    );
    const isDone = answers.length > 0 && isKnown(answers[0]);
    if (isDone || world.nowMs >= untilMs || isOver(cluster)) return answers.at(0);
    await world.run(LOOK_EVERY_MS, () => false);
  }
}
