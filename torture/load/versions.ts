/** Versions of keys that many write: they only grow, none is given twice, and each is one value for ever. */
import assert from "node:assert/strict";
import { type Answer, isKnown } from "../../sim/cluster/client.js";
import { type Load, type LoadClient, repeat, type Workload } from "../../sim/workloads/workload.js";

const KEYS = ["n0", "n1", "n2"];
const CLIENTS = 3;

/** A version that somebody was told, and when. */
interface Sighting {
  readonly version: number;
  /** Undefined where only the version was told. */
  readonly value: string;
  readonly isWrite: boolean;
  readonly invokedMs: number;
  readonly returnedMs: number;
}

export class Versions implements Workload {
  readonly name = "versions";
  readonly property = "versions are monotonic";
  readonly #sightings = new Map<string, Sighting[]>(KEYS.map((key) => [key, []]));
  #written = 0;

  start(load: Load): void {
    for (let i = 0; i < CLIENTS; i += 1) {
      const client = load.newClient();
      repeat(load, (next) => this.#act(load, client, next));
    }
  }

  #act(load: Load, client: LoadClient, next: () => void): void {
    const { world } = load;
    const key = world.random.pick(KEYS);
    const isWrite = world.random.chance(0.5);
    this.#written += 1;
    const value = `n${this.#written}`;
    const words = isWrite ? ["KV.PUT", key, "string", "any", "0", "0", value] : ["KV.GET", key];
    const invokedMs = world.nowMs;
    client.send(words, (answer) => {
      const seen = seenIn(answer, isWrite ? value : undefined);
      if (seen !== undefined) {
        this.#sightings.get(key)?.push({ ...seen, isWrite, invokedMs, returnedMs: world.nowMs });
      }
      next();
    });
  }

  async check(): Promise<void> {
    for (const [key, sightings] of this.#sightings) checkKey(key, sightings);
    await Promise.resolve();
  }
}

/** `[outcome, version]` of a write, `[type, version, expiry, value]` of a read. */
function seenIn(answer: Answer, written: string | undefined): { version: number; value: string } | undefined {
  if (!isKnown(answer) || !Array.isArray(answer)) return undefined;
  const [, version, , value] = answer as [unknown, number, number?, string?];
  return { version, value: written ?? value ?? "" };
}

function checkKey(key: string, sightings: readonly Sighting[]): void {
  const values = new Map<number, string>();
  const written = new Set<number>();
  for (const { version, value, isWrite } of sightings) {
    const known = values.get(version) ?? value;
    assert.equal(value, known, `${key}: version ${version} is ${known} and ${value}`);
    values.set(version, value);
    if (!isWrite) continue;
    assert(!written.has(version), `${key}: version ${version} was given twice`);
    written.add(version);
  }
  const byReturn = [...sightings].sort((a, b) => a.returnedMs - b.returnedMs);
  const byCall = [...sightings].sort((a, b) => a.invokedMs - b.invokedMs);
  let highest = 0;
  let at = 0;
  for (const { version, isWrite, invokedMs } of byCall) {
    for (; byReturn[at].returnedMs < invokedMs; at += 1) highest = Math.max(highest, byReturn[at].version);
    const isLater = isWrite ? version > highest : version >= highest;
    assert(isLater, `${key}: version ${version} was told after ${highest} (at ${invokedMs.toFixed(1)} ms)`);
  }
}
