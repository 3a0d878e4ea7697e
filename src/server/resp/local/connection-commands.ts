/** PING, ECHO, HELLO, AUTH, SELECT, QUIT, RESET, TIME. Source: Redis 7.0, `networking.c`, `acl.c`, `db.c`. */
import { syntaxError, wrongArity } from "../../../commands/errors.js";
import { MapReply, OK, PONG, type Reply, Slice, Status } from "../../../commands/reply.js";
import { integerArg, isWord } from "../../../commands/spec.js";
import type { Args } from "../../../commands/types.js";
import { MinikeyError } from "../../../core/errors.js";
import { parseInt64 } from "../../../core/int64.js";
import type { Session } from "../session.js";
import type { LocalHandler, LocalServices } from "./services.js";

/** An argument sent back. */
function argReply(args: Args, i: number): Slice {
  return new Slice(args.bytes, args.start(i), args.end(i));
}

const ping: LocalHandler = (_services, _client, args) => {
  if (args.count > 2) throw wrongArity("ping");
  return args.count === 1 ? PONG : argReply(args, 1);
};

const echo: LocalHandler = (_services, _client, args) => argReply(args, 1);

// --- HELLO, AUTH ---

const wrongPassword = (): MinikeyError =>
  new MinikeyError("WRONG_PASSWORD", "invalid username-password pair or user is disabled.");

/** There are no users but `default`, which needs no password. */
function authenticate(user: string): void {
  if (user !== "default") throw wrongPassword();
}

const auth: LocalHandler = (_services, _client, args) => {
  if (args.count > 3) throw syntaxError();
  if (args.count === 2) {
    throw new MinikeyError(
      "BAD_REQUEST",
      "AUTH <password> called without any password configured for the default user. " +
        "Are you sure your configuration is correct?",
    );
  }
  authenticate(args.text(1));
  return OK;
};

const hello: LocalHandler = (services, client, args) => {
  const session = client.session;
  const version = args.count > 1 ? parseProtocol(args) : session.protocol;
  for (let i = 2; i < args.count; i += 1) {
    if (isWord(args, i, "AUTH") && i + 2 < args.count) {
      authenticate(args.text(i + 1));
      i += 2;
    } else if (isWord(args, i, "SETNAME") && i + 1 < args.count) {
      setName(session, args.text(i + 1));
      i += 1;
    } else throw new MinikeyError("SYNTAX", `Syntax error in HELLO option '${args.text(i)}'`);
  }
  session.protocol = version;
  return helloReply(services, session);
};

function parseProtocol(args: Args): 2 | 3 {
  const version = parseInt64(args.bytes, args.start(1), args.end(1));
  if (version === undefined) {
    throw new MinikeyError("NOT_AN_INTEGER", "Protocol version is not an integer or out of range");
  }
  if (version === 2 || version === 3) return version;
  throw new MinikeyError("NO_PROTOCOL", "unsupported protocol version");
}

function helloReply(services: LocalServices, session: Session): Reply {
  return new MapReply([
    ["server", "minikeydb"],
    ["version", services.database.status().version],
    ["proto", session.protocol],
    ["id", session.id],
    ["mode", "cluster"],
    ["role", "master"],
    ["modules", []],
  ]);
}

/** Throws unless `name` can be shown in `CLIENT LIST`; an empty one takes the name away. */
export function setName(session: Session, name: string): void {
  if (!/^[!-~]*$/.test(name)) {
    throw new MinikeyError(
      "BAD_REQUEST",
      "Client names cannot contain spaces, newlines or special characters.",
    );
  }
  session.name = name;
}

// --- SELECT, QUIT, RESET, TIME ---

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

const select: LocalHandler = (services, client, args) => {
  const number = Number(integerArg(args, 1));
  if (number < INT32_MIN || number > INT32_MAX) {
    throw new MinikeyError(
      "OUT_OF_RANGE",
      `value is out of range, value must between ${INT32_MIN} and ${INT32_MAX}`,
    );
  }
  const keyspace = services.database.keyspaceById(number);
  if (keyspace === undefined) throw new MinikeyError("KEYSPACE_NOT_FOUND", "DB index is out of range");
  client.session.context.keyspace = keyspace.id;
  return OK;
};

/** The reply goes out before the connection ends. */
const quit: LocalHandler = (_services, client) => {
  client.finish();
  return OK;
};

const RESET = new Status("RESET");

const reset: LocalHandler = (_services, client) => {
  client.session.reset();
  return RESET;
};

const time: LocalHandler = (services) => {
  const nowMs = services.clock.wallMs();
  const seconds = Math.floor(nowMs / 1000);
  return [`${seconds}`, `${Math.floor((nowMs - seconds * 1000) * 1000)}`];
};

export const CONNECTION_HANDLERS = {
  PING: ping,
  ECHO: echo,
  HELLO: hello,
  AUTH: auth,
  SELECT: select,
  QUIT: quit,
  RESET: reset,
  TIME: time,
} as const satisfies Record<string, LocalHandler>;
