/** `minikey status`: the nodes, their health, leaders, partitions and lag; also while some are down. */
import { get } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import Table from "cli-table3";
import { splitAddresses } from "../connection.js";
import { ExitError } from "../failure.js";
import { type ClusterView, type KeyspaceStatus, mergeViews, type NodeView } from "./cluster-view.js";
import { describeLag, describeRepair } from "./replication.js";

export interface StatusFlags {
  readonly http: string;
  readonly watch?: boolean;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

const ASK_TIMEOUT_MS = 2_000;
const WATCH_EVERY_MS = 1_000;
const CLEAR_SCREEN = "\u001b[H\u001b[2J\u001b[3J";

export async function runStatus(flags: StatusFlags): Promise<void> {
  const addresses = splitAddresses(flags.http);
  if (flags.watch !== true) {
    print(await readCluster(addresses), flags);
    return;
  }
  const isScreen = process.stdout.isTTY && flags.json !== true;
  for (;;) {
    try {
      const view = await readCluster(addresses);
      if (isScreen) process.stdout.write(CLEAR_SCREEN);
      print(view, flags);
    } catch (error) {
      if (!(error instanceof ExitError)) throw error;
      if (isScreen) process.stdout.write(CLEAR_SCREEN);
      process.stderr.write(`minikey: ${error.message}\n`);
    }
    await sleep(WATCH_EVERY_MS);
  }
}

/** Asks the nodes given and those that they name. Fails when none answers. */
async function readCluster(addresses: readonly string[]): Promise<ClusterView> {
  const asked = new Set(addresses);
  const answers = await Promise.all(addresses.map(askNode));
  const views = new Map<string, NodeView>();
  const take = (answer: NodeView | string): void => {
    if (typeof answer !== "string") views.set(answer.nodeId, answer);
  };
  answers.forEach(take);
  if (views.size === 0) {
    throw new ExitError(
      `no node answers (${addresses.map((address, i) => `${address}: ${answers[i] as string}`).join("; ")}). ` +
        "Is the cluster running? `npm start` starts one on this machine",
    );
  }
  const named = [...views.values()].flatMap((view) => view.members.map((member) => member.httpAddress));
  const others = [...new Set(named)].filter((address) => address !== "" && !asked.has(address));
  (await Promise.all(others.map(askNode))).forEach(take);
  return mergeViews([...views.values()]);
}

/** The node's view, or why there is none. Not by `fetch`, which refuses some ports. */
function askNode(address: string): Promise<NodeView | string> {
  return new Promise((resolve) => {
    const request = get(
      `http://${address}/cluster`,
      { timeout: ASK_TIMEOUT_MS, agent: false },
      (response) => {
        json(response).then(
          (body) =>
            resolve(response.statusCode === 200 ? (body as NodeView) : `HTTP status ${response.statusCode}`),
          (error: Error) => resolve(error.message),
        );
      },
    );
    request.on("timeout", () => request.destroy(new Error(`no answer within ${ASK_TIMEOUT_MS} ms`)));
    request.on("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code === "ECONNREFUSED" ? "connection refused" : error.message);
    });
  });
}

function print(view: ClusterView, flags: StatusFlags): void {
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(view)}\n` : describe(view, flags.verbose ?? false),
  );
}

function describe(view: ClusterView, verbose: boolean): string {
  const up = view.nodes.filter((node) => node.state !== "down").length;
  const leaderless = view.keyspaces.reduce((sum, keyspace) => sum + keyspace.withoutLeader, 0);
  const eventual = view.keyspaces.filter((keyspace) => keyspace.consistency === "eventual");
  const without = eventual.reduce((sum, keyspace) => sum + keyspace.partitions, 0);
  const led = view.partitions.length - without;
  const partitions =
    (leaderless === 0
      ? `${led} partitions, all with a leader`
      : `${leaderless} of ${led} partitions WITHOUT a leader`) +
    (without === 0 ? "" : ` · ${without} eventual, which need none`);
  const parts = [
    `cluster ${view.clusterId} · ${up} of ${view.nodes.length} nodes up · ${partitions}`,
    nodeTable(view),
    keyspaceTable(view),
    ...(eventual.length > 0 ? [replicationTable(eventual)] : []),
    ...(verbose ? [partitionTable(view)] : []),
  ];
  return `${parts.join("\n")}\n`;
}

const newTable = (head: string[]): Table.Table => new Table({ head, style: { head: [], border: [] } });

function nodeTable(view: ClusterView): string {
  const table = newTable(["node", "state", "RESP", "HTTP", "leads", "replicas", "lag", "up"]);
  for (const node of view.nodes) {
    table.push([
      node.id,
      node.state === "down" ? "DOWN" : node.state,
      node.respAddress,
      node.httpAddress,
      node.leads,
      node.holds,
      node.lag ?? "?",
      node.uptimeSeconds === undefined ? "" : describeSeconds(node.uptimeSeconds),
    ]);
  }
  return table.toString();
}

function keyspaceTable(view: ClusterView): string {
  const table = newTable(["keyspace", "number", "consistency", "storage", "replicas", "partitions"]);
  for (const { name, id, consistency, storage, replicas, partitions } of view.keyspaces) {
    table.push([name, id, consistency, storage, replicas, partitions]);
  }
  return table.toString();
}

function replicationTable(keyspaces: readonly KeyspaceStatus[]): string {
  const table = newTable(["eventual", "lag", "hints", "tombstones", "repaired", "by reads", "last repair"]);
  const nowMs = Date.now();
  for (const { name, replication } of keyspaces) {
    if (replication === undefined) {
      table.push([name, "?", "?", "?", "?", "?", "?"]);
      continue;
    }
    const { hints, tombstones, repaired, readRepairs, lastRepair } = replication;
    const repair = describeRepair(lastRepair, nowMs, describeSeconds);
    table.push([name, describeLag(replication), hints, tombstones, repaired, readRepairs, repair]);
  }
  return table.toString();
}

function partitionTable(view: ClusterView): string {
  const keyspaces = new Map(view.keyspaces.map((one) => [one.id, one]));
  const table = newTable(["keyspace", "partition", "slots", "leader", "replicas (lag)"]);
  for (const { keyspace, partition, slots, leader, replicas } of view.partitions) {
    table.push([
      keyspaces.get(keyspace)?.name ?? keyspace,
      partition,
      slots.map(([first, last]) => `${first}–${last}`).join(" "),
      leader ?? (keyspaces.get(keyspace)?.consistency === "eventual" ? "none needed" : "NONE"),
      replicas
        .map(
          (one) => `${one.node}${one.role === "learner" ? " learner" : ""} (${one.lag < 0 ? "?" : one.lag})`,
        )
        .join(" "),
    ]);
  }
  return table.toString();
}

/** `45s`, `3m 20s`, `5h 2m`, `12d 3h`. */
export function describeSeconds(seconds: number): string {
  const whole = Math.floor(seconds);
  const units: [string, number][] = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
    ["s", 1],
  ];
  const first = units.findIndex(([, size]) => whole >= size);
  if (first < 0) return "0s";
  return units
    .slice(first, first + 2)
    .map(([unit, size], i) => `${Math.floor((i === 0 ? whole : whole % units[first][1]) / size)}${unit}`)
    .join(" ");
}
