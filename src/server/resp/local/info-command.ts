/**
 * INFO: the node as people and monitoring read it, by Redis's names where the thing exists here.
 * Source: Redis 7.0, `server.c` (`genRedisInfoString`).
 */
import { type Reply, VerbatimReply } from "../../../commands/reply.js";
import { Args } from "../../../commands/types.js";
import { latin1ToBytes } from "../../../core/bytes.js";
import { keyspaceId } from "../../../core/ids.js";
import type { KeyspaceInfo } from "../../../node/database.js";
import type { LocalHandler, LocalServices } from "./services.js";

type Line = readonly [name: string, value: string | number];

/** The release of Redis whose commands these are: clients choose by it what they may send. */
const REDIS_VERSION = "7.0.15";

const BYTES_PER_MEGABYTE = 1024 * 1024;

function server(services: LocalServices): Line[] {
  const status = services.database.status();
  return [
    ["redis_version", REDIS_VERSION],
    ["minikeydb_version", status.version],
    ["redis_mode", "cluster"],
    ["os", `${process.platform} ${process.arch}`],
    ["arch_bits", 64],
    ["process_id", process.pid],
    ["node_version", process.versions.node],
    ["run_id", status.clusterId],
    ["tcp_port", services.port()],
    ["server_time_usec", Math.floor(services.clock.wallMs() * 1000)],
    ["uptime_in_seconds", Math.floor(status.uptimeSeconds)],
    ["uptime_in_days", Math.floor(status.uptimeSeconds / 86_400)],
  ];
}

function clients(services: LocalServices): Line[] {
  let connected = 0;
  for (const _ of services.clients()) connected += 1;
  return [
    ["connected_clients", connected],
    ["cluster_connections", 0],
    ["maxclients", services.clientsMax],
    ["blocked_clients", 0],
    ["pending_requests", services.database.pendingRequests],
  ];
}

function memory(): Line[] {
  const { rss, heapUsed, external } = process.memoryUsage();
  return [
    ["used_memory", heapUsed + external],
    ["used_memory_human", megabytes(heapUsed + external)],
    ["used_memory_rss", rss],
    ["used_memory_rss_human", megabytes(rss)],
    ["maxmemory", 0],
    ["maxmemory_human", "0B"],
    ["maxmemory_policy", "noeviction"],
  ];
}

const megabytes = (sizeBytes: number): string => `${(sizeBytes / BYTES_PER_MEGABYTE).toFixed(2)}M`;

/** `loading` is what clients wait for before they send commands. */
function persistence(services: LocalServices): Line[] {
  return [
    ["loading", services.database.status().ready ? 0 : 1],
    ["async_loading", 0],
    ["aof_enabled", 1],
    ["aof_last_write_status", "ok"],
    ["rdb_bgsave_in_progress", 0],
    ["rdb_last_bgsave_status", "ok"],
  ];
}

function statistics(services: LocalServices): Line[] {
  const { stats } = services;
  return [
    ["total_connections_received", stats.connectionsReceived],
    ["total_commands_processed", stats.commands],
    ["instantaneous_ops_per_sec", stats.commandsPerSecond],
    ["total_net_input_bytes", stats.inputBytes],
    ["total_net_output_bytes", stats.outputBytes],
    ["rejected_connections", stats.rejectedConnections],
    ["evicted_keys", 0],
  ];
}

/** Every node takes every command: to a client each is a master. */
function replication(): Line[] {
  return [
    ["role", "master"],
    ["connected_slaves", 0],
  ];
}

function cpu(): Line[] {
  const { user, system } = process.cpuUsage();
  return [
    ["used_cpu_sys", (system / 1e6).toFixed(6)],
    ["used_cpu_user", (user / 1e6).toFixed(6)],
  ];
}

function cluster(services: LocalServices): Line[] {
  const status = services.database.status();
  return [
    ["cluster_enabled", 1],
    ["cluster_id", status.clusterId],
    ["cluster_epoch", status.epoch],
    ["node_id", status.nodeId],
  ];
}

/** A line a keyspace, as in `Keyspace`: what this node's replicas say of themselves. Not there without any. */
function eventual(services: LocalServices): Line[] {
  return services.database.status().replication.map((one): Line => {
    const { lag, lagMax, hints, tombstones, readRepairs, comparisons, repaired, lastRepair } = one;
    const facts = {
      lag,
      lag_max: lagMax,
      hints,
      tombstones,
      read_repairs: readRepairs,
      comparisons,
      repaired,
      last_repair_ms: lastRepair?.finishedMs ?? 0,
      last_repair_records: (lastRepair?.recordsTaken ?? 0) + (lastRepair?.recordsGiven ?? 0),
      last_repair_bytes: lastRepair?.bytes ?? 0,
    };
    const text = Object.entries(facts).map(([name, value]) => `${name}=${value}`);
    return [`db${one.keyspace}`, text.join(",")];
  });
}

/** In the order in which Redis lists them; `keyspace` comes last, and asks the partitions. */
const SECTIONS: readonly (readonly [title: string, lines: (services: LocalServices) => Line[]])[] = [
  ["Server", server],
  ["Clients", clients],
  ["Memory", memory],
  ["Persistence", persistence],
  ["Stats", statistics],
  ["Replication", replication],
  ["CPU", cpu],
  ["Cluster", cluster],
];

const EVENTUAL_TITLE = "Eventual";
const KEYSPACE_TITLE = "Keyspace";

/** `INFO [section …]` */
export const infoCommand: LocalHandler = (services, _client, args) => {
  const wanted = new Set<string>();
  for (let i = 1; i < args.count; i += 1) wanted.add(args.text(i).toLowerCase());
  const all = wanted.size === 0 || ["all", "default", "everything"].some((word) => wanted.has(word));
  const isWanted = (title: string): boolean => all || wanted.has(title.toLowerCase());
  const sections = SECTIONS.filter(([title]) => isWanted(title)).map(([title, lines]) =>
    sectionText(title, lines(services)),
  );
  const eventualLines = isWanted(EVENTUAL_TITLE) ? eventual(services) : [];
  if (eventualLines.length > 0) sections.push(sectionText(EVENTUAL_TITLE, eventualLines));
  if (!isWanted(KEYSPACE_TITLE)) return new VerbatimReply(sections.join("\r\n"));
  return keyspaceLines(services).then(
    (lines) => new VerbatimReply([...sections, sectionText(KEYSPACE_TITLE, lines)].join("\r\n")),
  );
};

function sectionText(title: string, lines: readonly Line[]): string {
  return [`# ${title}`, ...lines.map(([name, value]) => `${name}:${value}`), ""].join("\r\n");
}

/** A keyspace whose keys cannot be counted now is left out, as Redis leaves out an empty one. */
async function keyspaceLines(services: LocalServices): Promise<Line[]> {
  const keyspaces = services.database.status().keyspaces;
  const counts = await Promise.all(keyspaces.map((keyspace) => countKeys(services, keyspace)));
  return keyspaces.flatMap((keyspace, i): Line[] => {
    const count = counts[i];
    if (typeof count !== "number" || count === 0) return [];
    return [[`db${keyspace.id}`, `keys=${count}`]];
  });
}

const DBSIZE = latin1ToBytes("DBSIZE");

function countKeys(services: LocalServices, keyspace: KeyspaceInfo): Promise<Reply> {
  const args = new Args(DBSIZE);
  args.push(0, DBSIZE.length);
  return new Promise((resolve) => {
    services.database.submit(
      args,
      { keyspace: keyspaceId(keyspace.id), readLevel: "stale", writeLevel: "quorum" },
      { onReply: resolve },
    );
  });
}
