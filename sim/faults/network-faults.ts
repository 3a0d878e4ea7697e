/** Splits of every shape, and bad connections. */
import type { SimNode } from "../cluster/cluster.js";
import type { Weather } from "../world/network.js";
import type { Fault, Strike } from "./fault.js";

const FLAP_MS_MAX = 600;

const names = (sims: readonly SimNode[]): string => sims.map(({ id }) => id).join(" ");

function cutBetween({ cluster, heal }: Strike, side: readonly SimNode[], other: readonly SimNode[]): void {
  const { network } = cluster.world;
  for (const a of side) for (const b of other) heal(network.cut(a.id, b.id));
}

function weather({ cluster, heal }: Strike, change: Partial<Weather>): void {
  const calm = { loss: 0, duplicates: 0, reordering: 0, delayMs: 0 };
  heal(cluster.world.network.addWeather({ ...calm, ...change }));
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Mostly little, sometimes much. */
const someShare = ({ random }: Strike, most: number): number => most * random.unit() ** 2;

const LOSE: Fault = {
  name: "lose",
  about: "messages are lost one by one",
  needsPeers: true,
  strike(strike) {
    const loss = someShare(strike, 0.4);
    weather(strike, { loss });
    return `${percent(loss)} of all messages are lost`;
  },
};

const DELAY: Fault = {
  name: "delay",
  about: "messages take long",
  needsPeers: true,
  strike(strike) {
    const delayMs = 5 + 400 * strike.random.unit() ** 2;
    weather(strike, { delayMs });
    return `messages take up to ${delayMs.toFixed(0)} ms longer`;
  },
};

const REORDER: Fault = {
  name: "reorder",
  about: "Raft's messages overtake each other",
  needsPeers: true,
  strike(strike) {
    const reordering = someShare(strike, 0.8);
    weather(strike, { reordering, delayMs: 10 * strike.random.unit() });
    return `${percent(reordering)} of Raft's messages arrive out of order`;
  },
};

const DUPLICATE: Fault = {
  name: "duplicate",
  about: "Raft's messages arrive twice, the second time late",
  needsPeers: true,
  strike(strike) {
    const duplicates = someShare(strike, 0.8);
    weather(strike, { duplicates });
    return `${percent(duplicates)} of Raft's messages arrive twice`;
  },
};

const SPLIT: Fault = {
  name: "split",
  about: "a majority and a minority, or any two sides, cannot talk",
  needsPeers: true,
  strike(strike) {
    const all = [strike.sim, ...strike.others];
    const sides = [all.slice(0, 1 + strike.random.below(Math.max(1, all.length - 1)))];
    sides.push(all.slice(sides[0].length));
    cutBetween(strike, sides[0], sides[1]);
    return `split: ${names(sides[0])} | ${names(sides[1])}`;
  },
};

const BRIDGE: Fault = {
  name: "bridge",
  about: "two sides see each other only through one node between them",
  needsPeers: true,
  strike(strike) {
    const half = Math.ceil(strike.others.length / 2);
    const [left, right] = [strike.others.slice(0, half), strike.others.slice(half)];
    cutBetween(strike, left, right);
    return `bridge: ${names(left)} | ${strike.sim.id} | ${names(right)}`;
  },
};

const ONE_WAY: Fault = {
  name: "one-way",
  about: "what one node sends, or what is sent to it, does not arrive, while connections stand",
  needsPeers: true,
  strike(strike) {
    const { cluster, sim, others, random, heal } = strike;
    const { network } = cluster.world;
    const isOutgoing = random.chance(0.5);
    const hit = random.chance(0.5) ? others : others.slice(0, 1);
    const isLost = random.chance(0.5);
    for (const other of hit) {
      const undo = isOutgoing ? network.stall(sim.id, other.id) : network.stall(other.id, sim.id);
      heal(() => {
        if (isLost) network.reset(sim.id, other.id);
        undo();
      });
    }
    return `one way: nothing ${isOutgoing ? "from" : "to"} ${sim.id} ${isOutgoing ? "to" : "from"} ${names(hit)}`;
  },
};

const FLAP: Fault = {
  name: "flap",
  about: "a split that comes and goes",
  needsPeers: true,
  strike(strike) {
    const { cluster, sim, others, random, heal, later, lengthMs } = strike;
    const { network } = cluster.world;
    const hit = random.chance(0.6) ? others : others.slice(0, 1);
    const periodMs = 20 + random.below(FLAP_MS_MAX);
    for (let atMs = 0; atMs < lengthMs; atMs += 2 * periodMs) {
      later(atMs, () => {
        const undos = hit.map((other) => network.cut(sim.id, other.id));
        for (const undo of undos) heal(undo);
        later(periodMs, () => undos.forEach((undo) => undo()));
      });
    }
    return `flapping: ${sim.id} loses ${names(hit)} every ${2 * periodMs} ms`;
  },
};

const RESET: Fault = {
  name: "reset",
  about: "connections break, and come back by themselves",
  needsPeers: true,
  strike({ cluster, sim, others, random }) {
    const hit = others.filter(() => random.chance(0.6));
    for (const other of hit) cluster.world.network.reset(sim.id, other.id);
    return `connections of ${sim.id} to ${names(hit)} break`;
  },
};

export const NETWORK_FAULTS: readonly Fault[] = [
  LOSE,
  DELAY,
  REORDER,
  DUPLICATE,
  SPLIT,
  BRIDGE,
  ONE_WAY,
  FLAP,
  RESET,
];
