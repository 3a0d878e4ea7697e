/**
 * Where commands go: keyspaces by number and name, and their slots' partitions, as of the current map.
 */
import type { KeyspaceId } from "../core/ids.js";
import { partitionTable } from "../sharding/partitions.js";
import type { ClusterMap, Keyspace } from "./cluster-map.js";
import type { Route } from "./coordinator.js";
import type { ReadLevel, RequestContext } from "./database.js";

interface RoutedKeyspace {
  readonly keyspace: Keyspace;
  readonly partitionOf: (slot: number) => number;
  /** By guarantee and level, made once: a route is the same object for every command that needs it. */
  readonly routes: Map<string, Route>;
}

export class Router {
  #byId: (RoutedKeyspace | undefined)[] = [];
  #byName = new Map<string, RoutedKeyspace>();

  follow(map: ClusterMap): void {
    this.#byId = [];
    this.#byName = new Map();
    for (const keyspace of map.keyspaces) {
      const table = partitionTable(keyspace.partitions);
      const routed: RoutedKeyspace = {
        keyspace,
        partitionOf: (slot) => table[slot],
        routes: new Map(),
      };
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
    const name = context.readLevel + context.writeLevel;
    let route = routed.routes.get(name);
    if (route === undefined) {
      route = {
        keyspace: routed.keyspace,
        guarantee: isStaleLevel(context.readLevel) ? "stale" : "linearizable",
        level: context.writeLevel === "all" ? "all" : "majority",
        partitionOf: routed.partitionOf,
      };
      routed.routes.set(name, route);
    }
    return route;
  }

  #routed(id: KeyspaceId): RoutedKeyspace | undefined {
    return this.#byId[id];
  }
}

/** On a strong keyspace one replica is enough for `one`, and what one replica has may be old. */
function isStaleLevel(level: ReadLevel): boolean {
  return level === "stale" || level === "one";
}
