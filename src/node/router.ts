/**
 * Where commands go: keyspaces by number and name, and their slots' partitions, as of the current map.
 */
import type { KeyspaceId } from "../core/ids.js";
import { partitionTable } from "../sharding/partitions.js";
import type { ClusterMap, Keyspace } from "./cluster-map.js";
import type { Route } from "./coordinator.js";
import type { RequestContext } from "./database.js";
import { eventualLevels } from "./eventual/levels.js";

type PartitionOf = (slot: number) => number;

interface RoutedKeyspace {
  readonly keyspace: Keyspace;
  readonly partitionOf: PartitionOf;
  /** By read level, then write level; made once: a route is the same object for every command that needs it. */
  readonly routes: Map<RequestContext["readLevel"], Map<RequestContext["writeLevel"], Route>>;
}

export class Router {
  #byId: (RoutedKeyspace | undefined)[] = [];
  #byName = new Map<string, RoutedKeyspace>();
  /** By the number of partitions: most keyspaces have as many as the others, and there can be a thousand. */
  readonly #partitionOf = new Map<number, PartitionOf>();

  follow(map: ClusterMap): void {
    this.#byId = [];
    this.#byName = new Map();
    for (const keyspace of map.keyspaces) {
      const partitionOf = this.#partitionOf.get(keyspace.partitions) ?? makePartitionOf(keyspace.partitions);
      this.#partitionOf.set(keyspace.partitions, partitionOf);
      const routed: RoutedKeyspace = { keyspace, partitionOf, routes: new Map() };
      this.#byId[keyspace.id] = routed;
      this.#byName.set(keyspace.name, routed);
    }
  }

  keyspaceById(id: number): Keyspace | undefined {
    return this.#byId[id]?.keyspace;
  }

  keyspaceByName(name: string): Keyspace | undefined {
    return this.#byName.get(name)?.keyspace;
  }

  /** Undefined when there is no such keyspace. */
  route(context: RequestContext): Route | undefined {
    const routed = this.#routed(context.keyspace);
    if (routed === undefined) return undefined;
    return routed.routes.get(context.readLevel)?.get(context.writeLevel) ?? makeRoute(routed, context);
  }

  /** For a keyspace's own affairs: at its default levels. */
  routeOf(keyspace: KeyspaceId): Route | undefined {
    return this.route({ keyspace, readLevel: "default", writeLevel: "default" });
  }

  #routed(id: KeyspaceId): RoutedKeyspace | undefined {
    return this.#byId[id];
  }
}

function makePartitionOf(partitions: number): PartitionOf {
  const table = partitionTable(partitions);
  return (slot) => table[slot];
}

function makeRoute(routed: RoutedKeyspace, { readLevel, writeLevel }: RequestContext): Route {
  const route: Route = {
    keyspace: routed.keyspace,
    guarantee: isStaleLevel(readLevel) ? "stale" : "linearizable",
    level: writeLevel === "all" ? "all" : "majority",
    partitionOf: routed.partitionOf,
    eventual: routed.keyspace.consistency === "eventual" ? eventualLevels(readLevel, writeLevel) : undefined,
  };
  const byWriteLevel = routed.routes.get(readLevel) ?? new Map<RequestContext["writeLevel"], Route>();
  byWriteLevel.set(writeLevel, route);
  routed.routes.set(readLevel, byWriteLevel);
  return route;
}

/** On a strong keyspace one replica is enough for `one`, and what one replica has may be old. */
function isStaleLevel(level: RequestContext["readLevel"]): boolean {
  return level === "stale" || level === "one";
}
