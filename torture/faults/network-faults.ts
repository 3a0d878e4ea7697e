/** Faults of the network between the nodes. Clients reach every node, but for `unplug`. */
import type { RealCluster } from "../cluster/cluster.js";
import type { RealNode } from "../cluster/node.js";
import { type Fault, leaderOf, type Strike, seconds } from "./fault.js";

/** What the first sends does not reach the second. */
type Cut = readonly [from: RealNode, to: RealNode];

const names = (nodes: readonly RealNode[]): string => nodes.map(({ id }) => id).join(" ");

/** Both ways between all of one side and all of the other. */
function between(some: readonly RealNode[], others: readonly RealNode[]): Cut[] {
  return some.flatMap((a) =>
    others.flatMap((b): Cut[] => [
      [a, b],
      [b, a],
    ]),
  );
}

async function forAll(
  { network, nodes }: RealCluster,
  cuts: readonly Cut[],
  what: "cut" | "mend",
): Promise<void> {
  await Promise.all(cuts.map(([from, to]) => network[what](nodes.indexOf(from), nodes.indexOf(to))));
}

async function cutFor({ cluster, pass }: Strike, cuts: readonly Cut[], timeMs: number): Promise<void> {
  await forAll(cluster, cuts, "cut");
  await pass(timeMs);
  await forAll(cluster, cuts, "mend");
}

const SPLIT: Fault = {
  name: "split",
  about: "two sides, one of which may be a majority, hear nothing of each other",
  needs: "splits",
  nodesMin: 2,
  async strike(strike) {
    const { node, others, random, lengthMs, tell } = strike;
    const size = random.below(others.length);
    const side = [node, ...others.slice(0, size)];
    const rest = others.slice(size);
    tell(`${names(side)} | ${names(rest)} for ${seconds(lengthMs)}`);
    await cutFor(strike, between(side, rest), lengthMs);
  },
};

const SPLIT_LEADER: Fault = {
  name: "split-leader",
  about: "the node that leads the most partitions hears nothing of the others, nor they of it",
  needs: "splits",
  nodesMin: 2,
  async strike(strike) {
    const { cluster, lengthMs, tell } = strike;
    const leader = await leaderOf(strike);
    const rest = cluster.nodes.filter((node) => node !== leader);
    tell(`${leader.id} | ${names(rest)} for ${seconds(lengthMs)}`);
    await cutFor(strike, between([leader], rest), lengthMs);
  },
};

const SPLIT_ALL: Fault = {
  name: "split-all",
  about: "no node hears anything of any other",
  needs: "splits",
  nodesMin: 2,
  async strike(strike) {
    const { node, others, lengthMs, tell } = strike;
    tell(`every node is alone for ${seconds(lengthMs)}`);
    const all = [node, ...others];
    await cutFor(
      strike,
      all.flatMap((one, i) => between([one], all.slice(i + 1))),
      lengthMs,
    );
  },
};

const ONE_WAY: Fault = {
  name: "one-way",
  about: "a node hears the others and is not heard, or the other way round",
  needs: "splits",
  nodesMin: 2,
  async strike(strike) {
    const { node, others, random, lengthMs, tell } = strike;
    const isMute = random.chance(0.5);
    tell(`${node.id} ${isMute ? "is not heard" : "hears nothing"} for ${seconds(lengthMs)}`);
    const cuts = others.map((other): Cut => (isMute ? [node, other] : [other, node]));
    await cutFor(strike, cuts, lengthMs);
  },
};

const BRIDGE: Fault = {
  name: "bridge",
  about: "two sides hear each other only through one node between them",
  needs: "splits",
  nodesMin: 3,
  async strike(strike) {
    const { node, others, lengthMs, tell } = strike;
    const middle = Math.ceil(others.length / 2);
    const [left, right] = [others.slice(0, middle), others.slice(middle)];
    tell(`${names(left)} - ${node.id} - ${names(right)} for ${seconds(lengthMs)}`);
    await cutFor(strike, between(left, right), lengthMs);
  },
};

const FLAP: Fault = {
  name: "flap",
  about: "a node is cut off and back again, many times",
  needs: "splits",
  nodesMin: 2,
  async strike(strike) {
    const { node, others, random, lengthMs, tell, pass } = strike;
    const times = 3 + random.below(6);
    tell(`${node.id} is cut off ${times} times in ${seconds(lengthMs)}`);
    for (let left = times; left > 0; left -= 1) {
      await cutFor(strike, between([node], others), random.below(lengthMs / times));
      await pass(random.below(lengthMs / times));
    }
  },
};

const UNPLUG: Fault = {
  name: "unplug",
  about: "a node's cable is out: neither nodes nor clients reach it",
  needs: "splits",
  async strike({ cluster, node, lengthMs, tell, pass }) {
    const number = cluster.nodes.indexOf(node);
    tell(`${node.id} is unplugged for ${seconds(lengthMs)}`);
    await cluster.network.setLink(number, false);
    await pass(lengthMs);
    await cluster.network.setLink(number, true);
  },
};

const SLOW: Fault = {
  name: "slow",
  about: "what a node sends is late, out of order, and partly lost (tc netem)",
  needs: "slowness",
  async strike({ cluster, node, random, lengthMs, tell, pass }) {
    const number = cluster.nodes.indexOf(node);
    const slowness = { delayMs: 1 + random.below(200), lossPercent: random.below(20) };
    tell(`${node.id} sends ${slowness.delayMs} ms late and loses ${slowness.lossPercent} %`);
    await cluster.network.setSlowness(number, slowness);
    await pass(lengthMs);
    await cluster.network.setSlowness(number, undefined);
  },
};

export const NETWORK_FAULTS: readonly Fault[] = [
  SPLIT,
  SPLIT_LEADER,
  SPLIT_ALL,
  ONE_WAY,
  BRIDGE,
  FLAP,
  UNPLUG,
  SLOW,
];
