/** COMMAND: the table as clients read it. Source: Redis 7.0, `server.c` (`addReplyCommandInfo`, `commandCommand`). */
import { hasArity } from "../../../commands/check.js";
import { syntaxError } from "../../../commands/errors.js";
import { Glob } from "../../../commands/glob.js";
import { keyIndexes } from "../../../commands/plan.js";
import { MapReply, type Reply, SetReply, Slice, Status } from "../../../commands/reply.js";
import { isWord } from "../../../commands/spec.js";
import { COMMANDS } from "../../../commands/table.js";
import { Args, type CommandSpec } from "../../../commands/types.js";
import { MinikeyError } from "../../../core/errors.js";
import type { LocalHandler } from "./services.js";
import { container } from "./subcommands.js";

const LISTED = COMMANDS.specs.filter((spec) => !spec.internal);

const statuses = (words: readonly string[]): SetReply => new SetReply(words.map((word) => new Status(word)));

/** RESP3 clients get sets here as from Redis, also where there is nothing to say. */
const NONE = new SetReply([]);

/** Name, arity, flags, first key, last key, step, categories, tips, key specifications, subcommands. */
function describe(spec: CommandSpec): Reply {
  const { first, last, step } = spec.keys;
  return [
    spec.name.toLowerCase(),
    spec.arity,
    statuses(spec.flags),
    first,
    last,
    step,
    statuses(spec.categories),
    NONE,
    NONE,
    NONE,
  ];
}

function document(spec: CommandSpec): [Reply, Reply] {
  return [
    spec.name.toLowerCase(),
    new MapReply([
      ["summary", spec.summary],
      ["group", spec.group],
    ]),
  ];
}

/** The listed command that argument i names. */
function named(args: Args, i: number): CommandSpec | undefined {
  const spec = COMMANDS.lookup(args.bytes, args.start(i), args.end(i));
  return spec?.internal === true ? undefined : spec;
}

function namedFrom(args: Args, first: number): (CommandSpec | undefined)[] {
  return Array.from({ length: args.count - first }, (_, i) => named(args, first + i));
}

const info: LocalHandler = (_services, _client, args) => {
  const specs = args.count === 2 ? LISTED : namedFrom(args, 2);
  return specs.map((spec) => (spec === undefined ? null : describe(spec)));
};

const docs: LocalHandler = (_services, _client, args) => {
  const specs = args.count === 2 ? LISTED : namedFrom(args, 2);
  return new MapReply(specs.filter((spec) => spec !== undefined).map(document));
};

function names(keep: (spec: CommandSpec) => boolean): Reply {
  return LISTED.filter(keep).map((spec) => spec.name.toLowerCase());
}

/** `COMMAND LIST [FILTERBY MODULE name|ACLCAT category|PATTERN pattern]` */
const list: LocalHandler = (_services, _client, args) => {
  if (args.count === 2) return names(() => true);
  if (args.count !== 5 || !isWord(args, 2, "FILTERBY")) throw syntaxError();
  if (isWord(args, 3, "MODULE")) return [];
  if (isWord(args, 3, "ACLCAT")) return names((spec) => spec.categories.includes(`@${args.text(4)}`));
  if (!isWord(args, 3, "PATTERN")) throw syntaxError();
  const glob = new Glob(args.key(4));
  return names((spec) => glob.matches(spec.name.toLowerCase()));
};

/** `COMMAND GETKEYS command argument …` */
const getKeys: LocalHandler = (_services, _client, args) => {
  const spec = named(args, 2);
  if (spec === undefined) throw new MinikeyError("BAD_REQUEST", "Invalid command specified");
  if (spec.keys.first === 0) throw new MinikeyError("BAD_REQUEST", "The command has no key arguments");
  const inner = new Args(args.bytes);
  for (let i = 2; i < args.count; i += 1) inner.push(args.start(i), args.end(i));
  if (!hasArity(spec, inner.count)) {
    throw new MinikeyError("BAD_REQUEST", "Invalid number of arguments specified for command");
  }
  return keyIndexes(spec, inner).map((i) => new Slice(inner.bytes, inner.start(i), inner.end(i)));
};

const subcommands = container("COMMAND", {
  COUNT: { arity: 2, help: "-- Return the number of commands.", run: () => LISTED.length },
  INFO: { arity: -2, help: "[<command> ...] -- Return what clients need to know of commands.", run: info },
  DOCS: { arity: -2, help: "[<command> ...] -- Return what commands are for.", run: docs },
  LIST: {
    arity: -2,
    help: "[FILTERBY MODULE <name>|ACLCAT <category>|PATTERN <pattern>] -- List commands.",
    run: list,
  },
  GETKEYS: { arity: -4, help: "<command> [<arg> ...] -- Return the keys of a command.", run: getKeys },
});

export const commandCommand: LocalHandler = (services, client, args) =>
  args.count === 1 ? LISTED.map(describe) : subcommands(services, client, args);
