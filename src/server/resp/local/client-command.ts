/** CLIENT. Source: Redis 7.0, `networking.c` (`clientCommand`, `catClientInfoString`). */
import { syntaxError } from "../../../commands/errors.js";
import { OK, type Reply, VerbatimReply } from "../../../commands/reply.js";
import { integerArg, isWord } from "../../../commands/spec.js";
import type { Args } from "../../../commands/types.js";
import { MinikeyError } from "../../../core/errors.js";
import { setName } from "./connection-commands.js";
import type { Client, LocalHandler, LocalServices } from "./services.js";
import { container } from "./subcommands.js";

/** One client as a line of `name=value` words, those of Redis. */
function describe(services: LocalServices, client: Client): string {
  const session = client.session;
  const nowMs = services.clock.monotonicMs();
  const seconds = (sinceMs: number): number => Math.floor((nowMs - sinceMs) / 1000);
  return [
    `id=${session.id}`,
    `addr=${session.remoteAddress}`,
    `laddr=${session.localAddress}`,
    "fd=0",
    `name=${session.name}`,
    `age=${seconds(session.connectedAtMs)}`,
    `idle=${seconds(session.lastActiveMs)}`,
    `flags=${session.noEvict ? "e" : "N"}`,
    `db=${session.context.keyspace}`,
    "sub=0 psub=0 ssub=0 multi=-1",
    `qbuf=${client.inputBytes}`,
    "qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0",
    `obl=${client.outputBytes}`,
    "oll=0",
    `omem=${client.outputBytes}`,
    "tot-mem=0 events=r",
    `cmd=${session.lastCommand?.name.toLowerCase() ?? "NULL"}`,
    "user=default redir=-1",
    `resp=${session.protocol}`,
    `lib-name=${session.libraryName}`,
    `lib-ver=${session.libraryVersion}`,
  ].join(" ");
}

const list: LocalHandler = (services, _client, args) => {
  let wanted: ((client: Client) => boolean) | undefined;
  if (args.count > 2) {
    if (isWord(args, 2, "TYPE") && args.count === 4) wanted = ofType(args);
    else if (isWord(args, 2, "ID") && args.count > 3) wanted = ofIds(args);
    else throw syntaxError();
  }
  let text = "";
  for (const client of services.clients()) {
    if (wanted?.(client) !== false) text += `${describe(services, client)}\n`;
  }
  return new VerbatimReply(text);
};

/** All are of the type `normal`: there are no others here. */
function ofType(args: Args): () => boolean {
  const type = args.text(3);
  if (!["normal", "master", "replica", "slave", "pubsub"].includes(type.toLowerCase())) {
    throw new MinikeyError("SYNTAX", `Unknown client type '${type}'`);
  }
  return () => type.toLowerCase() === "normal";
}

function ofIds(args: Args): (client: Client) => boolean {
  const ids = new Set<number>();
  for (let i = 3; i < args.count; i += 1) {
    const id = Number(integerArg(args, i));
    if (id < 1) throw new MinikeyError("BAD_REQUEST", "Invalid client ID");
    ids.add(id);
  }
  return (client) => ids.has(client.session.id);
}

// --- KILL ---

const kill: LocalHandler = (services, caller, args) => {
  if (args.count === 3) return killByAddress(services, caller, args.text(2));
  if (args.count % 2 === 1) throw syntaxError();
  const { matches, skipCaller } = parseKillFilters(args);
  let killed = 0;
  for (const client of services.clients()) {
    if (!matches(client) || (client === caller && skipCaller)) continue;
    closeClient(client, caller);
    killed += 1;
  }
  return killed;
};

function killByAddress(services: LocalServices, caller: Client, address: string): Reply {
  for (const client of services.clients()) {
    if (client.session.remoteAddress !== address) continue;
    closeClient(client, caller);
    return OK;
  }
  throw new MinikeyError("BAD_REQUEST", "No such client");
}

/** The caller gets its reply first. */
function closeClient(client: Client, caller: Client): void {
  if (client === caller) client.finish();
  else client.close();
}

interface KillFilters {
  readonly matches: (client: Client) => boolean;
  readonly skipCaller: boolean;
}

function parseKillFilters(args: Args): KillFilters {
  const tests: ((client: Client) => boolean)[] = [];
  let skipCaller = true;
  for (let i = 2; i < args.count; i += 2) {
    const value = args.text(i + 1);
    if (isWord(args, i, "ID")) {
      const id = Number(integerArg(args, i + 1));
      if (id < 1) throw new MinikeyError("NOT_AN_INTEGER", "client-id should be greater than 0");
      tests.push((client) => client.session.id === id);
    } else if (isWord(args, i, "ADDR")) tests.push((client) => client.session.remoteAddress === value);
    else if (isWord(args, i, "LADDR")) tests.push((client) => client.session.localAddress === value);
    else if (isWord(args, i, "SKIPME") && isWord(args, i + 1, "YES")) skipCaller = true;
    else if (isWord(args, i, "SKIPME") && isWord(args, i + 1, "NO")) skipCaller = false;
    else throw syntaxError();
  }
  return { matches: (client) => tests.every((test) => test(client)), skipCaller };
}

// --- The others ---

const reply: LocalHandler = (_services, client, args) => {
  const session = client.session;
  if (isWord(args, 2, "ON")) {
    session.replies = "on";
    return OK;
  }
  if (isWord(args, 2, "OFF")) session.replies = "off";
  else if (!isWord(args, 2, "SKIP")) throw syntaxError();
  else if (session.replies !== "off") session.replies = "skip-next";
  return undefined;
};

const noEvict: LocalHandler = (_services, client, args) => {
  if (isWord(args, 2, "ON")) client.session.noEvict = true;
  else if (isWord(args, 2, "OFF")) client.session.noEvict = false;
  else throw syntaxError();
  return OK;
};

/** `CLIENT SETINFO LIB-NAME name` came with Redis 7.2; client libraries send it to all. */
const setInfo: LocalHandler = (_services, client, args) => {
  const value = args.text(3);
  if (!/^[!-~]*$/.test(value)) {
    throw new MinikeyError(
      "BAD_REQUEST",
      `${args.text(2)} cannot contain spaces, newlines or special characters.`,
    );
  }
  if (isWord(args, 2, "LIB-NAME")) client.session.libraryName = value;
  else if (isWord(args, 2, "LIB-VER")) client.session.libraryVersion = value;
  else throw new MinikeyError("BAD_REQUEST", `Unrecognized option '${args.text(2)}'`);
  return OK;
};

export const clientCommand = container("CLIENT", {
  ID: {
    arity: 2,
    help: "-- Return the ID of this connection.",
    run: (_services, client) => client.session.id,
  },
  GETNAME: {
    arity: 2,
    help: "-- Return the name of this connection.",
    run: (_services, client) => (client.session.name === "" ? null : client.session.name),
  },
  SETNAME: {
    arity: 3,
    help: "<name> -- Name this connection.",
    run: (_services, client, args) => {
      setName(client.session, args.text(2));
      return OK;
    },
  },
  SETINFO: { arity: 4, help: "LIB-NAME|LIB-VER <value> -- Say what library this client uses.", run: setInfo },
  INFO: {
    arity: 2,
    help: "-- Describe this connection.",
    run: (services, client) => new VerbatimReply(`${describe(services, client)}\n`),
  },
  LIST: { arity: -2, help: "[TYPE <type>|ID <id> ...] -- Describe connections.", run: list },
  KILL: {
    arity: -3,
    help: "<ip:port>|[ID <id>] [ADDR <ip:port>] [LADDR <ip:port>] [SKIPME yes|no] -- Close connections.",
    run: kill,
  },
  REPLY: { arity: 3, help: "ON|OFF|SKIP -- Choose whether commands are answered.", run: reply },
  "NO-EVICT": { arity: 3, help: "ON|OFF -- Accepted; connections are never evicted.", run: noEvict },
});
