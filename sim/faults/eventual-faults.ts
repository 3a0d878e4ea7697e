/** What eventual keyspaces withstand, and others can only wait out: no majority anywhere, and absence for long. */
import type { Fault } from "./fault.js";

const AWAY_MS = 3_000;

const ISLANDS: Fault = {
  name: "islands",
  about: "every node is cut off from every other",
  needsPeers: true,
  isSpecial: true,
  strike({ cluster, heal }) {
    const { nodes, world } = cluster;
    for (const a of nodes) for (const b of nodes) if (a.id < b.id) heal(world.network.cut(a.id, b.id));
    return "every node is alone";
  },
};

const AWAY: Fault = {
  name: "away",
  about: "a node is down, or reaches nobody, for longer than hints last",
  needsPeers: true,
  isSpecial: true,
  strike({ cluster, sim, others, random, later }) {
    const { network } = cluster.world;
    const lengthMs = AWAY_MS * (1 + 2 * random.unit());
    if (random.chance(0.5)) {
      cluster.crash(sim);
      later(lengthMs, () => cluster.startSoon(sim));
      return `${sim.id} is down for ${lengthMs.toFixed(0)} ms`;
    }
    const undos = others.map((other) => network.cut(sim.id, other.id));
    later(lengthMs, () => undos.forEach((undo) => undo()));
    return `${sim.id} reaches nobody for ${lengthMs.toFixed(0)} ms`;
  },
};

const LATE: Fault = {
  name: "late",
  about: "what one node sends to another arrives seconds later, while all else gets through",
  needsPeers: true,
  isSpecial: true,
  strike({ cluster, sim, others: [other], random, later }) {
    const lengthMs = AWAY_MS * random.unit();
    const undo = cluster.world.network.stall(sim.id, other.id);
    later(lengthMs, undo);
    return `what ${sim.id} sends to ${other.id} arrives ${lengthMs.toFixed(0)} ms later`;
  },
};

export const EVENTUAL_FAULTS: readonly Fault[] = [ISLANDS, AWAY, LATE];
