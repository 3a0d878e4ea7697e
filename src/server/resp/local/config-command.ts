/** CONFIG GET: what clients and tools ask for, by Redis's names, answered as things are here. */
import { Glob } from "../../../commands/glob.js";
import { MapReply, type Reply } from "../../../commands/reply.js";
import type { LocalHandler, LocalServices } from "./services.js";
import { container } from "./subcommands.js";

/** Every write is in the log, and on disk, before it is answered: what Redis calls `appendfsync always`. */
function parameters(services: LocalServices): readonly (readonly [string, string])[] {
  const databases = 1 + Math.max(...services.database.status().keyspaces.map((keyspace) => keyspace.id), 0);
  return [
    ["appendfsync", "always"],
    ["appendonly", "yes"],
    ["bind", services.host],
    ["cluster-enabled", "yes"],
    ["databases", `${databases}`],
    ["io-threads", "1"],
    ["maxclients", `${services.clientsMax}`],
    ["maxmemory", "0"],
    ["maxmemory-policy", "noeviction"],
    ["notify-keyspace-events", ""],
    ["port", `${services.port()}`],
    ["proto-max-bulk-len", `${services.valueBytesMax}`],
    ["requirepass", ""],
    ["save", ""],
    ["tcp-keepalive", "0"],
    ["timeout", "0"],
  ];
}

const get: LocalHandler = (services, _client, args) => {
  const globs: Glob[] = [];
  for (let i = 2; i < args.count; i += 1) globs.push(new Glob(args.key(i).toLowerCase()));
  const found = parameters(services).filter(([name]) => globs.some((glob) => glob.matches(name)));
  return new MapReply(found.map(([name, value]): [Reply, Reply] => [name, value]));
};

export const configCommand = container("CONFIG", {
  GET: { arity: -3, help: "<pattern> -- Return parameters and their values.", run: get },
});
