/** Reads of the cluster when it is whole again: what is there at the end must be what all the answers before made. */
import assert from "node:assert/strict";
import type { History } from "../checks/linearizability.js";
import { type Answer, isKnown } from "../cluster/client.js";
import type { Load, LoadClient } from "./workload.js";

const ANSWER_LIMIT_MS = 30_000;

/** Asks until there is an answer; `understand` says what a reply means to the workload. */
async function askUntilKnown(
  load: Load,
  client: LoadClient,
  words: readonly string[],
  understand: (reply: Answer) => Answer,
): Promise<{ readonly answer: Answer; readonly invokedMs: number }> {
  const { world } = load;
  let result: { answer: Answer; invokedMs: number } | undefined;
  const ask = () => {
    const invokedMs = world.nowMs;
    client.send(words, (reply) => {
      const answer = understand(reply);
      if (isKnown(answer)) result = { answer, invokedMs };
      else ask();
    });
  };
  ask();
  await world.run(ANSWER_LIMIT_MS, () => result !== undefined);
  assert(result !== undefined, `the healed cluster does not answer ${words.join(" ")}`);
  return result;
}

/** What a linearizable read of the healed cluster says. */
export async function finalValue(load: Load, client: LoadClient, key: string): Promise<string | null> {
  const { answer } = await askUntilKnown(load, client, ["GET", key], (reply) => reply);
  return answer as string | null;
}

/** Reads once more, as the last operation of a history. */
export async function recordFinalRead<Call>(
  load: Load,
  history: History<Call>,
  call: Call,
  words: readonly string[],
  understand = (reply: Answer): Answer => reply,
): Promise<void> {
  const { answer, invokedMs } = await askUntilKnown(load, load.newClient(), words, understand);
  history.record(call, answer, invokedMs, load.world.nowMs);
}
