import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cluster, withCluster } from "../../support/cluster.js";
import { keysByPartition } from "../../support/partitions.js";
import { ConnectionLost, RespError } from "../../support/resp-client.js";
import { waitFor } from "../../support/wait.js";

const PAUSE_MS = 10_000;
const REGISTERS = 6;
const READS_WANTED = 300;

/** A counter that only grows, so that a read is old exactly when it is below what was answered before it. */
interface Register {
  readonly key: string;
  answered: number;
}

/** Increments the registers through `viaId` until told to stop. */
async function write(
  cluster: Cluster,
  viaId: string,
  registers: Register[],
  isStopped: () => boolean,
): Promise<void> {
  const client = await cluster.resp(viaId, { replyTimeoutMs: 30_000 });
  for (let n = 0; !isStopped(); n += 1) {
    const register = registers[n % registers.length];
    if (register === undefined) return;
    try {
      register.answered = Number(await client.call("INCR", register.key));
    } catch (error) {
      if (!(error instanceof RespError)) throw error;
      await sleep(5);
    }
  }
}

/** One linearizable read through the paused node; its answer must not be older than what was known before. */
async function read(get: () => Promise<number | undefined>, register: Register): Promise<boolean> {
  const least = register.answered;
  const value = await get();
  if (value === undefined) return false;
  assert.ok(value >= least, `${register.key} was read as ${value} after ${least} had been answered`);
  return true;
}

async function getOverHttp(url: string): Promise<number | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  const body = (await response.json()) as { value?: string };
  return response.status === 200 ? Number(body.value) : undefined;
}

test("a node stopped with SIGSTOP for 10 s and continued never answers a linearizable read with old data", async (t) => {
  await withCluster({}, async (cluster) => {
    const placed = await keysByPartition(cluster, "n1");
    const victim = placed[0]?.leader ?? "n1";
    const via = cluster.others(victim)[0]?.id ?? "";
    const led = placed.filter(({ leader }) => leader === victim).slice(0, REGISTERS / 2);
    const followed = placed.filter(({ leader }) => leader !== victim).slice(0, REGISTERS / 2);
    const registers = [...led, ...followed].map(({ key }) => ({ key, answered: 0 }));

    let isStopped = false;
    const writing = write(cluster, via, registers, () => isStopped);
    writing.catch(() => {
      isStopped = true;
    });
    const allReached = (least: number): boolean => registers.every(({ answered }) => answered >= least);
    await waitFor("every register was written", () => allReached(5));

    let answered = 0;
    let refused = 0;
    const count = (isAnswer: boolean): void => {
      if (isAnswer) answered += 1;
      else refused += 1;
    };
    /** Reads one register over and over; the first read is sent while the node is stopped. */
    const readOn = async (register: Register): Promise<void> => {
      const client = await cluster.resp(victim, { replyTimeoutMs: 30_000 });
      const overResp = async (): Promise<number | undefined> => {
        const reply = await client.call("GET", register.key).catch((error: unknown) => error);
        if (reply instanceof ConnectionLost) throw reply;
        return reply instanceof RespError ? undefined : Number(reply);
      };
      const overHttp = (): Promise<number | undefined> =>
        getOverHttp(`${cluster.http(victim)}/kv/${register.key}`);
      for (let n = 0; answered < READS_WANTED && !isStopped; n += 1) {
        count(await read(n % 4 === 3 ? overHttp : overResp, register));
      }
    };

    const before = registers.map((register) => register.answered);
    cluster.pause(victim);
    const pausedMs = performance.now();
    await waitFor("the others went on without the stopped node", () =>
      registers.every((register, i) => register.answered > (before[i] ?? 0) + 5),
    );
    const reading = registers.flatMap((register) => [readOn(register), readOn(register)]);
    const allRead = Promise.all(reading);
    allRead.catch(() => {
      isStopped = true;
    });
    await sleep(PAUSE_MS - (performance.now() - pausedMs));
    cluster.resume(victim);

    await waitFor(`${READS_WANTED} reads were answered`, () => answered >= READS_WANTED || isStopped, {
      timeoutMs: 15_000,
    });
    isStopped = true;
    await allRead;
    await writing;
    t.diagnostic(
      `stopped for ${PAUSE_MS / 1000} s: ${answered} reads answered, ${refused} refused, none old`,
    );
  });
});
