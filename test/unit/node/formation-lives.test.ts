/**
 * Founders as they are: `Formation` on a simulated network and disk, with crashes, lost disks, cut and stalled
 * connections, and answers that are late, lost or given twice. The cluster map alone is a plain value here: changed
 * by whoever reaches a majority of members, a moment later.
 *
 * No disk may take part under a number that another disk of its node may have made promises with.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MapDisk } from "../../../sim/disk/map-disk.js";
import { SeededRandom } from "../../../sim/world/random.js";
import { SimProcess, World } from "../../../sim/world/world.js";
import { Slice } from "../../../src/commands/reply.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { type NodeId, nodeId } from "../../../src/core/ids.js";
import { type ClusterMap, foundingMap, type MapChange, readMap } from "../../../src/node/cluster-map.js";
import { parseNote } from "../../../src/node/cluster-view.js";
import { Formation, greetingOf } from "../../../src/node/formation.js";
import { newClusterId } from "../../../src/node/forming.js";
import { type Identity, readIdentity, writeIdentity } from "../../../src/node/identity.js";
import type { PartitionMachine } from "../../../src/node/partition-machine.js";
import { decodeFrame } from "../../../src/node/peer-frames.js";
import { Readmission } from "../../../src/node/readmission.js";
import type { Transport } from "../../../src/ports/transport.js";
import { apply, newMachine } from "./partition-fixture.js";

function silently(): void {
  // Nobody reads it.
}
const logger = { debug: silently, info: silently, warn: silently, error: silently };

interface Founder {
  readonly id: NodeId;
  disk: MapDisk;
  /** Others that it has been started with since its first was lost, before they took part in anything. */
  readonly lostDisks: MapDisk[];
  process: SimProcess | undefined;
  formation: Formation | undefined;
  /** By incarnation: the disk that took part under it, where others may rest on what it said. */
  readonly promised: Map<number, string>;
}

class Lives {
  readonly world: World;
  readonly random: SeededRandom;
  readonly founders: Founder[];
  readonly problems: string[] = [];
  readonly #machine: PartitionMachine;
  #changes = 0;
  #disks = 0;

  constructor(seed: number, count: number, machine: PartitionMachine) {
    this.world = new World(seed);
    this.random = new SeededRandom(seed + 1_000_000);
    this.#machine = machine;
    this.founders = Array.from({ length: count }, (_, i) => ({
      id: nodeId(`n${i + 1}`),
      disk: new MapDisk(),
      lostDisks: [],
      process: undefined,
      formation: undefined,
      promised: new Map(),
    }));
    const members = this.founders.map(({ id }) => ({ id, peerAddress: id }));
    const map = foundingMap({ members, replicas: count, partitions: 1, valueBytesMax: 1 });
    this.#change({ do: "found", map });
  }

  get map(): ClusterMap {
    const map = readMap(this.#machine.view);
    assert(map !== undefined);
    return map;
  }

  get areAllMembers(): boolean {
    return this.founders.every(({ formation }) => formation?.identity.stage === "formed");
  }

  async start(founder: Founder): Promise<void> {
    if (founder.process !== undefined) return;
    const process = new SimProcess(this.world, 0);
    founder.process = process;
    this.#disks += 1;
    const fresh: Identity = {
      nodeId: founder.id,
      clusterId: "",
      memberNumber: 0,
      incarnation: 0,
      disk: `disk ${this.#disks}`,
      stage: "fresh",
    };
    const found = await readIdentity(founder.disk);
    const identity = found ?? fresh;
    if (found === undefined) await writeIdentity(founder.disk, fresh);
    const transport = this.world.network.transportFor(founder.id, process, greetingOf(identity, ""));
    const ids = this.founders.map(({ id }) => id);
    const formation = new Formation(
      { identity, founders: ids, address: "", freshClusterId: newClusterId(this.random, ids) },
      { clock: process.clock, disk: founder.disk.of(process), transport, logger },
    );
    founder.formation = formation;
    const membership = {
      change: async (change: MapChange) => await this.#changeLater(founder, change),
      map: this.map,
    };
    Object.defineProperty(membership, "map", { get: () => this.map });
    const readmission = new Readmission(
      membership,
      { presentLeaderOf: () => undefined, stateOf: () => "active" },
      this.#repeating(transport, process),
      logger,
    );
    await transport.start({
      onFrame: (from, frame) => {
        const decoded = decodeFrame(frame);
        const note = decoded.type === "note" ? parseNote(decoded.text) : undefined;
        if (note?.kind === "rejoined") formation.onRejoined(from, note);
        if (note?.kind === "rejoin" && formation.identity.stage === "formed")
          readmission.onRejoin(from, note);
      },
      onGreeting: (greeting) => formation.onGreeting(greeting),
      onUp: silently,
      onDown: (peer) => formation.onDown(peer),
    });
    transport.setPeers(new Map(ids.filter((id) => id !== founder.id).map((id) => [id, id])));
    formation.run().catch((error: unknown) => this.problems.push(String(error)));
  }

  crash(founder: Founder): void {
    if (founder.process === undefined) return;
    founder.process.isAlive = false;
    founder.process = undefined;
    founder.formation = undefined;
    this.world.network.drop(founder.id);
  }

  async loseDisk(founder: Founder): Promise<void> {
    this.crash(founder);
    founder.lostDisks.push(new MapDisk());
    founder.disk = new MapDisk();
    await this.start(founder);
  }

  /** Whoever looks after a node that has not come back tries another disk, or one tried before, still empty. */
  async changeDisk(founder: Founder, mayComeBack: boolean): Promise<void> {
    this.crash(founder);
    const { disk, lostDisks } = founder;
    founder.disk = mayComeBack ? this.random.pick(lostDisks) : new MapDisk();
    if (!mayComeBack) return await this.start(founder);
    lostDisks.splice(lostDisks.indexOf(founder.disk), 1, disk, new MapDisk());
    await this.start(founder);
  }

  /** Members that vote: with a majority of them, each may have promised something. */
  look(): void {
    const members = this.founders.filter(({ formation }) => formation?.identity.stage === "formed");
    const clusters = new Set(members.map(({ formation }) => formation?.identity.clusterId));
    assert(clusters.size <= 1, "two clusters were formed");
    for (const { id, formation, promised, lostDisks } of members) {
      lostDisks.length = 0;
      const { incarnation, disk, memberNumber } = formation?.identity ?? assert.fail();
      assert.equal(nodeId(`n${memberNumber}`), id);
      const before = promised.get(incarnation) ?? disk;
      assert.equal(disk, before, `two disks of ${id} are incarnation ${incarnation}`);
      const current = this.map.members.find((member) => member.id === id)?.incarnation ?? 0;
      assert(incarnation <= current, `${id} is incarnation ${incarnation}, which nobody gave it`);
      if (members.length > this.founders.length / 2) promised.set(incarnation, disk);
    }
  }

  #change(change: MapChange): unknown {
    this.#changes += 1;
    const commands = [["MAP.CHANGE", JSON.stringify(change)]];
    const reply = apply(this.#machine, { session: 1, sequence: this.#changes, commands }).replies[0];
    return reply instanceof Slice ? reply.bytes : reply;
  }

  /** Committed a moment later, even when whoever proposed it is gone by then; the answer may be lost. */
  async #changeLater(via: Founder, change: MapChange): Promise<never> {
    const { random, world } = this;
    const members = this.founders.filter(({ formation }) => formation?.identity.stage === "formed");
    const isMajority = members.length > this.founders.length / 2 && via.process !== undefined;
    const delayMs = random.chance(0.8) ? 5 * random.unit() : 4_000 * random.unit();
    return (await new Promise<unknown>((resolve, reject) => {
      world.schedule(delayMs, () => {
        const reply = isMajority ? this.#change(change) : undefined;
        if (reply === undefined || random.chance(0.2)) reject(new MinikeyError("NO_QUORUM", "no majority"));
        else resolve(reply);
      });
    })) as never;
  }

  /** What it sends arrives once or twice, now or later. */
  #repeating(transport: Transport, process: SimProcess): Transport {
    return {
      ...transport,
      send: (peer, parts) => {
        if (this.random.chance(0.3)) {
          process.later(3_000 * this.random.unit(), () => void transport.send(peer, parts));
        }
        return this.random.chance(0.1) || transport.send(peer, parts);
      },
    };
  }
}

async function live(seed: number): Promise<{ readonly replaced: boolean }> {
  const count = new SeededRandom(seed).pick([3, 3, 3, 5]);
  const lives = new Lives(seed, count, await newMachine());
  const { random, world, founders } = lives;
  // A disk that is put back may find that it was given up meanwhile: then an empty one is needed.
  const mayComeBack = seed % 2 === 0;
  let wasFormed = false;
  const stageOf = (formation: Formation | undefined) => formation?.identity.stage;
  const isFormed = ({ formation }: Founder) => formation?.identity.stage === "formed";
  const isAnyoneWithout = () => {
    wasFormed ||= founders.some((founder) => isFormed(founder) || founder.promised.size > 0);
    return wasFormed && !founders.every(isFormed);
  };
  for (let step = 0; step < 40; step += 1) {
    const lost = founders.find(
      ({ formation, lostDisks }) => lostDisks.length > 0 && stageOf(formation) === "fresh",
    );
    const founder = lost !== undefined && random.chance(0.5) ? lost : random.pick(founders);
    const choice = random.unit();
    if (choice < 0.35) await lives.start(founder);
    else if (choice < 0.42) lives.crash(founder);
    else if (founder === lost && choice < 0.7) await lives.changeDisk(founder, mayComeBack);
    // One at a time: the fault that a cluster withstands.
    else if (choice < 0.55 && !isAnyoneWithout()) await lives.loseDisk(founder);
    else if (choice < 0.7) world.network.cut(founder.id, random.pick(founders).id);
    else if (choice < 0.75) world.network.stall(founder.id, random.pick(founders).id);
    else if (choice < 0.8) world.network.reset(founder.id, random.pick(founders).id);
    else if (choice < 0.9) world.network.healAll();
    await world.run(random.chance(0.5) ? 3 * random.unit() : 1_500 * random.unit(), () => {
      lives.look();
      return false;
    });
  }
  world.network.healAll();
  for (const founder of founders) {
    if (mayComeBack && founder.lostDisks.length > 0) await lives.changeDisk(founder, false);
    await lives.start(founder);
  }
  await world.run(60_000, () => {
    lives.look();
    return lives.areAllMembers;
  });
  assert(lives.areAllMembers, "the cluster never forms");
  assert.deepEqual(lives.problems, []);
  const replaced = lives.map.members.some(({ incarnation }) => incarnation > 1);
  if (mayComeBack) return { replaced };
  assert.deepEqual(
    founders.map(({ formation }) => formation?.identity.incarnation),
    lives.map.members.map(({ incarnation }) => incarnation),
    "the cluster has given a member's place to a disk that is not there",
  );
  return { replaced };
}

const LIVES = 250;

test("in no life of founders does a disk take part as what another of its node may have been", async () => {
  let replaced = 0;
  for (let seed = 1; seed <= LIVES; seed += 1) {
    try {
      if ((await live(seed)).replaced) replaced += 1;
    } catch (error) {
      console.error(`seed ${seed}`);
      throw error;
    }
  }
  assert(replaced > LIVES / 10, `only ${replaced} lives had a lost disk come back`);
});
