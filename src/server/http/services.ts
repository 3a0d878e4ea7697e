/** What every route works with. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Reply } from "../../commands/reply.js";
import { MinikeyError } from "../../core/errors.js";
import type { Database, KeyspaceInfo, RequestContext } from "../../node/database.js";
import type { Clock } from "../../ports/clock.js";
import { type Argument, execute } from "../execute.js";
import type { HeldBytes } from "./body.js";
import { parseQuery, pathAfterSlash, percentDecode } from "./text.js";

export interface HttpLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  /** Bodies and values of unfinished requests, all connections together. */
  readonly heldBytesMax: number;
  /** Commands that the node has not answered at which no more are given to it. */
  readonly pendingRequestsMax: number;
}

export interface HttpServices {
  readonly database: Database;
  readonly limits: HttpLimits;
  readonly held: HeldBytes;
  /** What `ttl` counts from. */
  readonly clock: Clock;
}

/** The routes are declared on this; which server is below does not matter to them. */
export type App = FastifyInstance;

/** The request's URL with one character a byte, as it arrived (an absolute one without its origin). */
export const urlOf = (request: FastifyRequest): string => request.raw.url ?? "/";

export const queryOf = (request: FastifyRequest, known: readonly string[]): ReadonlyMap<string, string> =>
  parseQuery(urlOf(request), known);

/** One command to the database; `OVERLOADED` when it has too many under way. */
export function ask(
  { database, limits }: HttpServices,
  context: RequestContext,
  command: readonly Argument[],
): Promise<Reply> {
  if (database.pendingRequests >= limits.pendingRequestsMax) {
    throw new MinikeyError("OVERLOADED", "the node has too many requests under way; try again");
  }
  return execute(database, context, command);
}

const DEFAULT_KEYSPACE_ID = 0;

/** The keyspace that the path names: `/keyspaces/{name}/…`, else `default`. */
export function keyspaceOf(
  { database }: HttpServices,
  request: FastifyRequest,
  named: boolean,
): KeyspaceInfo {
  if (named) return keyspaceNamed(database, pathAfterSlash(urlOf(request), 2).split("/")[0]);
  const keyspace = database.keyspaceById(DEFAULT_KEYSPACE_ID);
  if (keyspace === undefined) throw new MinikeyError("NOT_READY", "the node does not know the cluster yet");
  return keyspace;
}

function keyspaceNamed(database: Database, encodedName: string): KeyspaceInfo {
  const name = percentDecode(encodedName, "the keyspace's name").utf8Slice();
  const keyspace = database.keyspaceByName(name);
  if (keyspace === undefined) {
    throw new MinikeyError("KEYSPACE_NOT_FOUND", `there is no keyspace ${JSON.stringify(name)}`);
  }
  return keyspace;
}
