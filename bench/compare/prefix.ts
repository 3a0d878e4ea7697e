/**
 * What it costs to list the keys with a prefix, in a small and in a large key space: two keyspaces of one cluster,
 * asked in turn, so that whatever else the machine does disturbs both alike.
 */
import { type Cluster, withCluster } from "../../test/support/cluster.js";
import type { RespClient, RespValue } from "../../test/support/resp-client.js";
import { loadKeys } from "./large.js";
import { median, type Row } from "./report.js";

const WITH_PREFIX = 1_000;
const SMALL = 10_000;
const TIMES_SMALL_MAX = 1.5;
const RUNS = 61;
const WARM_UP_RUNS = 20;
const COMMAND = "npm run bench -- compare --only prefix";

/** A keyspace, and how it is asked. */
interface Space {
  readonly client: RespClient;
  /** Where its keys are listed. */
  readonly url: string;
}

/** Each of them returns how many keys it found. */
const LISTINGS: Readonly<Record<string, (space: Space) => Promise<number>>> = {
  "`KEYS user:*`": async ({ client }) => lengthOf(await client.call("KEYS", "user:*")),
  "`SCAN … MATCH user:* COUNT 1000` to its end": async ({ client }) => {
    let found = 0;
    let cursor: RespValue = "0";
    do {
      const page: RespValue = await client.call("SCAN", String(cursor), "MATCH", "user:*", "COUNT", "1000");
      if (!Array.isArray(page)) throw new Error(`SCAN was answered with ${String(page)}`);
      found += lengthOf(page[1] ?? null);
      cursor = page[0] ?? "0";
    } while (cursor !== "0");
    return found;
  },
  "`GET /kv?prefix=user:&limit=1000`": async ({ url }) => {
    const response = await fetch(`${url}?prefix=user:&limit=1000`);
    return ((await response.json()) as { keys: string[] }).keys.length;
  },
};

function lengthOf(reply: RespValue): number {
  if (!Array.isArray(reply)) throw new Error(`a list was expected, not ${String(reply)}`);
  return reply.length;
}

/** Median milliseconds of a listing in each space. */
async function measure(list: (space: Space) => Promise<number>, spaces: readonly Space[]): Promise<number[]> {
  const times: number[][] = spaces.map(() => []);
  for (let run = 0; run < WARM_UP_RUNS + RUNS; run += 1) {
    for (const [i, space] of spaces.entries()) {
      const startMs = performance.now();
      const found = await list(space);
      if (run >= WARM_UP_RUNS) times[i]?.push(performance.now() - startMs);
      if (found !== WITH_PREFIX) throw new Error(`${found} keys were found, not ${WITH_PREFIX}`);
    }
  }
  return times.map(median);
}

async function putPrefixed(client: RespClient): Promise<void> {
  const commands = Array.from({ length: WITH_PREFIX }, (_, i) => ["SET", `user:${i}`, "x".repeat(64)]);
  for (const reply of await client.pipeline(commands)) {
    if (reply !== "OK") throw new Error(`SET was answered with ${String(reply)}`);
  }
}

/** A new keyspace, the `number`th, with `keys` keys, 1,000 of them with the prefix. */
async function fill(cluster: Cluster, number: number, keys: number): Promise<Space> {
  const name = `keys-${keys}`;
  const client = await cluster.resp("n1", { replyTimeoutMs: 60_000 });
  await client.call("KEYSPACE", "CREATE", name);
  await client.call("SELECT", String(number));
  await putPrefixed(client);
  await loadKeys(cluster, keys - WITH_PREFIX, number);
  return { client, url: `${cluster.http("n1")}/keyspaces/${name}/kv` };
}

/** Listings of 1,000 keys among 10,000, and among `keys`, in milliseconds. */
export async function measurePrefix({ keys }: { readonly keys: number }): Promise<Row[]> {
  const rows: Row[] = [];
  await withCluster({}, async (cluster) => {
    const spaces = [await fill(cluster, 1, SMALL), await fill(cluster, 2, keys)];
    for (const [name, list] of Object.entries(LISTINGS)) {
      const [smallMs = Number.NaN, largeMs = Number.NaN] = await measure(list, spaces);
      const ratio = largeMs / smallMs;
      rows.push({
        what: `${name}: 1,000 keys among ${keys.toLocaleString("en")}`,
        ours: `${largeMs.toFixed(2)} ms`,
        theirs: `among ${SMALL.toLocaleString("en")}: ${smallMs.toFixed(2)} ms`,
        ratio,
        bound: `≤ ${TIMES_SMALL_MAX}`,
        kept: ratio <= TIMES_SMALL_MAX,
        command: COMMAND,
      });
    }
  });
  return rows;
}
