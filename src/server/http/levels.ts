/** `?consistency=`: how sure a read or a write is before it is answered. */
import { MinikeyError } from "../../core/errors.js";
import {
  DEFAULT_LEVELS,
  type KeyspaceInfo,
  READ_LEVELS,
  type RequestContext,
  WRITE_LEVELS,
} from "../../node/database.js";

/** What holds when a request names no level. */
function defaultContext({ id, consistency }: KeyspaceInfo): RequestContext {
  const { read, write } = DEFAULT_LEVELS[consistency];
  return { keyspace: id, readLevel: read, writeLevel: write };
}

export function readContext(keyspace: KeyspaceInfo, level: string | undefined): RequestContext {
  const context = defaultContext(keyspace);
  if (level !== undefined) context.readLevel = oneOf(READ_LEVELS, level, "a read");
  return context;
}

/** On a strong keyspace every write is linearizable, so there the word is accepted for writes as well. */
export function writeContext(keyspace: KeyspaceInfo, level: string | undefined): RequestContext {
  const context = defaultContext(keyspace);
  const implied = level === "linearizable" && keyspace.consistency === "strong";
  if (level !== undefined && !implied) context.writeLevel = oneOf(WRITE_LEVELS, level, "a write");
  return context;
}

function oneOf<T extends string>(levels: readonly T[], level: string, what: string): T {
  const known = levels.find((one) => one === level);
  if (known === undefined) {
    const got = JSON.stringify(level);
    throw new MinikeyError(
      "BAD_REQUEST",
      `consistency: expected ${levels.join(", ")} for ${what}, got ${got}`,
    );
  }
  return known;
}
