/**
 * Sends the same random commands to two servers and compares their replies byte for byte. Only what cannot be
 * equal is made comparable first: the order in which keys are listed, which key is random, and the few
 * milliseconds by which two clocks read times to live.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { NAME_ALL_KEYS, randomCommand, SCAN_ALL, type Words } from "./differential-commands.js";
import { encodeInline, encodeRequest, RawConnection } from "./raw-replies.js";
import { Seeded } from "./seeded.js";

export interface DifferentialOptions {
  readonly seed: number;
  /** A real redis-server, and the server that is to answer like it. */
  readonly redisPort: number;
  readonly testedPort: number;
  readonly commands: number;
  readonly protocol: 2 | 3;
  /** `single`: each waits for its reply. `pipelined`: up to 50 at once. `inline`: as lines. */
  readonly mode: "single" | "pipelined" | "inline";
  /** Numbers of the databases to use; they exist on both. */
  readonly databases?: readonly number[];
}

const PIPELINE_MAX = 50;
const COUNT_CHANCE = 0.02;

/** Throws with the command, both replies and the seed when they differ. Empties the databases first. */
export async function compareServers(options: DifferentialOptions): Promise<void> {
  const { seed, redisPort, testedPort, protocol, mode, databases = [0] } = options;
  const random = new Seeded(seed);
  const connections = [await RawConnection.open(redisPort), await RawConnection.open(testedPort)] as const;
  try {
    for (const connection of connections) await prepare(connection, databases, protocol);
    const history: string[] = [];
    for (let left = options.commands; left > 0; ) {
      const size = mode === "pipelined" ? 1 + random.below(Math.min(left, PIPELINE_MAX)) : 1;
      const batch = Array.from({ length: size }, () => nextCommand(random, databases));
      if (random.chance(COUNT_CHANCE)) batch.push(NAME_ALL_KEYS, ["DBSIZE"]);
      left -= size;
      const encode = mode === "inline" ? encodeInline : encodeRequest;
      const bytes = Buffer.concat(batch.map((words) => encode(words)));
      for (const connection of connections) connection.send(bytes);
      for (const words of batch) {
        history.push(show(words));
        const [expected, actual] = await Promise.all([connections[0].reply(), connections[1].reply()]);
        if (!areAlike(words, expected, actual)) {
          throw new Error(describeDifference(options, history, expected, actual));
        }
      }
    }
  } finally {
    for (const connection of connections) connection.close();
  }
}

function nextCommand(random: Seeded, databases: readonly number[]): Words {
  if (databases.length > 1 && random.chance(0.02)) return ["SELECT", `${random.pick(databases)}`];
  if (random.chance(0.005)) return ["SELECT", random.pick(["-1", "9999", "abc", "99999999999"])];
  if (random.chance(0.003))
    return ["FLUSHDB", ...random.pick([[], ["SYNC"], ["ASYNC"], ["FOO"], ["SYNC", "x"]])];
  return randomCommand(random);
}

async function prepare(
  connection: RawConnection,
  databases: readonly number[],
  protocol: 2 | 3,
): Promise<void> {
  for (const database of databases) {
    await connection.call("SELECT", `${database}`);
    await connection.call("FLUSHDB");
  }
  await connection.call("SELECT", `${databases[0]}`);
  await connection.call("HELLO", `${protocol}`);
}

// --- Comparing ---

/** The first words of commands whose integers are times, with the largest difference that clocks explain. */
const CLOCK_TOLERANCE: Readonly<Record<string, number>> = {
  TTL: 3,
  PTTL: 3_000,
  EXPIRETIME: 3,
  PEXPIRETIME: 3_000,
};

function areAlike(words: Words, expected: Buffer, actual: Buffer): boolean {
  if (expected.equals(actual)) return true;
  const name = String(words[0]).toUpperCase();
  if (name === "KEYS" || (name === "SCAN" && words.includes(SCAN_ALL))) {
    return sortedLines(expected) === sortedLines(actual);
  }
  // A page of a scan, and where it ends, is each server's own.
  if (name === "SCAN") return expected[0] === 0x2a && actual[0] === 0x2a;
  if (name === "RANDOMKEY") return expected[0] === actual[0] && isNull(expected) === isNull(actual);
  // The tables differ in size.
  if (name === "COMMAND" && words.length === 1) return expected[0] === actual[0];
  // What the server is called, and which client this is.
  if (name === "HELLO") return "*%".includes(String.fromCharCode(expected[0])) && expected[0] === actual[0];
  if (name === "CLIENT" && String(words[1]).toUpperCase() === "ID") return expected[0] === actual[0];
  const tolerance = CLOCK_TOLERANCE[name];
  if (tolerance === undefined || expected[0] !== 0x3a || actual[0] !== 0x3a) return false;
  const [a, b] = [expected, actual].map((reply) => Number(reply.toString("latin1", 1, reply.length - 2)));
  return a > 0 && b > 0 && Math.abs(a - b) <= tolerance;
}

const isNull = (reply: Buffer): boolean => /^(?:\$-1|_|\*-1)/.test(reply.toString("latin1", 0, 4));

/** Keys have no line ends but for one, whose parts stay apart alike on both sides. */
function sortedLines(reply: Buffer): string {
  return reply.toString("latin1").split("\r\n").sort().join("\n");
}

// --- Saying what differs ---

function show(words: Words): string {
  return words
    .map((word) => {
      const text = typeof word === "string" ? word : word.toString("latin1");
      const shown = JSON.stringify(text);
      return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown;
    })
    .join(" ");
}

const HISTORY_SHOWN = 30;

function describeDifference(
  options: DifferentialOptions,
  history: readonly string[],
  expected: Buffer,
  actual: Buffer,
): string {
  const { seed, protocol, mode, commands } = options;
  return [
    `replies differ (seed ${seed}, RESP${protocol}, ${mode}, command ${history.length} of ${commands})`,
    ...history.slice(-HISTORY_SHOWN).map((line) => `  ${line}`),
    `redis-server: ${JSON.stringify(expected.toString("latin1").slice(0, 2000))}`,
    `tested:       ${JSON.stringify(actual.toString("latin1").slice(0, 2000))}`,
  ].join("\n");
}

/** Waits until both servers show the same for `words`: for what happens in its own time, such as expiry. */
export async function becomeAlike(
  words: Words,
  expected: RawConnection,
  actual: RawConnection,
  timeoutMs = 5_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const [a, b] = await Promise.all([expected.call(...words), actual.call(...words)]);
    if (a.equals(b)) return;
    if (performance.now() > deadlineMs) {
      throw new Error(`${show(words)}: redis-server says ${a.toString()}, tested says ${b.toString()}`);
    }
    await sleep(10);
  }
}
