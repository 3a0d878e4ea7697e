/** CONSISTENCY and KEYSPACE: MinikeyDB's own. */
import { notAnInteger, syntaxError } from "../../../commands/errors.js";
import { MapReply, OK, type Reply } from "../../../commands/reply.js";
import { integerArg, isWord } from "../../../commands/spec.js";
import type { Args } from "../../../commands/types.js";
import { MinikeyError } from "../../../core/errors.js";
import {
  type Database,
  DEFAULT_LEVELS,
  type KeyspaceInfo,
  READ_LEVELS,
  type RequestContext,
  WRITE_LEVELS,
} from "../../../node/database.js";
import type { LocalHandler, LocalServices } from "./services.js";
import { container } from "./subcommands.js";

function levelArg<Level extends string>(args: Args, what: string, levels: readonly Level[]): Level {
  const word = args.text(2);
  const level = levels.find((candidate) => candidate === word.toLowerCase());
  if (level !== undefined) return level;
  throw new MinikeyError("BAD_REQUEST", `unknown ${what} level '${word}': one of ${levels.join(", ")}`);
}

/** Back to what holds in each keyspace when nobody has chosen. */
const DEFAULT = ["default"] as const;

/** What holds in the connection's keyspace when nobody has chosen. */
function defaultLevels({ database }: LocalServices, { keyspace }: RequestContext) {
  return DEFAULT_LEVELS[database.keyspaceById(keyspace)?.consistency ?? "strong"];
}

export const consistencyCommand = container("CONSISTENCY", {
  READ: {
    arity: -2,
    help: `[${READ_LEVELS.join("|")}|default] -- Show or choose the level of this connection's reads.`,
    run: (services, client, args) => {
      const { context } = client.session;
      if (args.count === 2) {
        const { readLevel } = context;
        return readLevel === "default" ? defaultLevels(services, context).read : readLevel;
      }
      if (args.count > 3) throw syntaxError();
      context.readLevel = levelArg(args, "read", [...READ_LEVELS, ...DEFAULT]);
      return OK;
    },
  },
  WRITE: {
    arity: -2,
    help: `[${WRITE_LEVELS.join("|")}|default] -- Show or choose the level of this connection's writes.`,
    run: (services, client, args) => {
      const { context } = client.session;
      if (args.count === 2) {
        const { writeLevel } = context;
        return writeLevel === "default" ? defaultLevels(services, context).write : writeLevel;
      }
      if (args.count > 3) throw syntaxError();
      context.writeLevel = levelArg(args, "write", [...WRITE_LEVELS, ...DEFAULT]);
      return OK;
    },
  },
});

// --- KEYSPACE ---

type CreateOptions = Parameters<Database["createKeyspace"]>[0];

/** `KEYSPACE CREATE name [CONSISTENCY strong|eventual] [STORAGE disk|memory] [REPLICAS n] [PARTITIONS n]` */
function parseCreate(args: Args): CreateOptions {
  let consistency: CreateOptions["consistency"] = "strong";
  let storage: CreateOptions["storage"] = "disk";
  let replicas: number | undefined;
  let partitions: number | undefined;
  for (let i = 3; i < args.count; i += 2) {
    if (i + 1 >= args.count) throw syntaxError();
    if (isWord(args, i, "CONSISTENCY")) consistency = oneOf(args, i + 1, ["strong", "eventual"]);
    else if (isWord(args, i, "STORAGE")) storage = oneOf(args, i + 1, ["disk", "memory"]);
    else if (isWord(args, i, "REPLICAS")) replicas = countArg(args, i + 1);
    else if (isWord(args, i, "PARTITIONS")) partitions = countArg(args, i + 1);
    else throw syntaxError();
  }
  return {
    name: args.text(2),
    consistency,
    storage,
    ...(replicas === undefined ? {} : { replicas }),
    ...(partitions === undefined ? {} : { partitions }),
  };
}

function oneOf<Choice extends string>(args: Args, i: number, choices: readonly Choice[]): Choice {
  const word = args.text(i);
  const choice = choices.find((candidate) => candidate === word.toLowerCase());
  if (choice !== undefined) return choice;
  throw new MinikeyError("BAD_REQUEST", `'${word}' is not ${choices.join(" or ")}`);
}

function countArg(args: Args, i: number): number {
  const count = Number(integerArg(args, i));
  if (count < 1) throw notAnInteger();
  return count;
}

function describe(keyspace: KeyspaceInfo): Reply {
  return new MapReply([
    ["id", keyspace.id],
    ["name", keyspace.name],
    ["consistency", keyspace.consistency],
    ["storage", keyspace.storage],
    ["replicas", keyspace.replicas],
    ["partitions", keyspace.partitions],
  ]);
}

export const keyspaceCommand = container("KEYSPACE", {
  CREATE: {
    arity: -3,
    help: "<name> [CONSISTENCY strong|eventual] [STORAGE disk|memory] [REPLICAS n] [PARTITIONS n] -- Make one.",
    run: (services, _client, args) => services.database.createKeyspace(parseCreate(args)).then(() => OK),
  },
  LIST: {
    arity: 2,
    help: "-- Describe all keyspaces.",
    run: (services) => services.database.status().keyspaces.map(describe),
  },
  DROP: {
    arity: 3,
    help: "<name> -- Remove one with all its keys.",
    run: (services, _client, args) => services.database.dropKeyspace(args.text(2)).then(() => OK),
  },
}) satisfies LocalHandler;
