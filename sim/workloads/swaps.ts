/** Compare and set, by versions (`KV.PUT … match`), as the library's and HTTP's `If-Match` do: linearizable by key. */
import { MinikeyError } from "../../src/core/errors.js";
import { History, type Model } from "../checks/linearizability.js";
import { type Answer, isKnown, isRefused } from "../cluster/client.js";
import { recordFinalRead } from "./final-read.js";
import { type Load, type LoadClient, repeat, type Workload } from "./workload.js";

export type SwapCall =
  | { readonly do: "get" }
  | { readonly do: "put"; readonly value: string }
  | { readonly do: "swap"; readonly version: number; readonly value: string }
  | { readonly do: "create"; readonly value: string }
  | { readonly do: "remove"; readonly version: number };

export const NOTHING = "-";
export const ANOTHER_VERSION = "another version";

/**
 * A state is `-`, or `version value`; the version is `?` while nobody has been told it. Answers: of `get` the state;
 * of writes the new version as text, or `ANOTHER_VERSION`.
 */
export const SWAP: Model<SwapCall> = {
  initial: NOTHING,
  step(state, call, reply) {
    const answer = reply as string | undefined;
    const [version, value] = state.split(" ");
    const put = (written: string) => [`${answer ?? "?"} ${written}`];
    switch (call.do) {
      case "get": {
        if (state === NOTHING || answer === NOTHING) return state === answer ? [state] : [];
        const [seenVersion, seenValue] = (answer ?? "").split(" ");
        const isSame = seenValue === value && (version === "?" || version === seenVersion);
        return isSame && answer !== undefined ? [answer] : [];
      }
      case "put":
        return put(call.value);
      case "create":
        if (answer === ANOTHER_VERSION) return state === NOTHING ? [] : [state];
        if (state !== NOTHING) return answer === undefined ? [state] : [];
        return put(call.value);
      case "swap":
      case "remove": {
        const mayMatch = state !== NOTHING && (version === "?" || version === `${call.version}`);
        const mustMatch = state !== NOTHING && version === `${call.version}`;
        const after = call.do === "swap" ? put(call.value) : [NOTHING];
        if (answer === ANOTHER_VERSION) return mustMatch ? [] : [state];
        if (!mayMatch) return answer === undefined ? [state] : [];
        return answer === undefined && !mustMatch ? [...after, state] : after;
      }
    }
  },
};

const KEYS = ["v0", "v1", "v2"];

export class Swaps implements Workload {
  readonly name = "swaps";
  readonly property = "linearizability";
  readonly #histories = new Map<string, History<SwapCall>>(KEYS.map((key) => [key, new History()]));
  #written = 0;

  start(load: Load): void {
    for (let i = 0; i < 4; i += 1) {
      const client = load.newClient();
      /** By key: the version seen last. */
      const seen = new Map<string, number>();
      repeat(load, (next) => this.#act(load, client, seen, next));
    }
  }

  #act(load: Load, client: LoadClient, seen: Map<string, number>, next: () => void): void {
    const { random } = load.world;
    const key = random.pick(KEYS);
    const version = seen.get(key) ?? 0;
    this.#written += 1;
    const value = `s${this.#written}`;
    const put = (condition: string, expected: number) => [
      "KV.PUT",
      key,
      "string",
      condition,
      `${expected}`,
      "0",
      value,
    ];
    const choice = random.unit();
    const run = (words: readonly string[], call: SwapCall) =>
      this.#call(load, client, key, words, call, seen, next);
    if (choice < 0.4) run(["KV.GET", key], { do: "get" });
    else if (choice < 0.5) run(put("any", 0), { do: "put", value });
    else if (choice < 0.6) run(put("nx", 0), { do: "create", value });
    else if (choice < 0.94 && version > 0) run(put("match", version), { do: "swap", version, value });
    else if (version > 0) run(["KV.DELETE", key, `${version}`], { do: "remove", version });
    else run(["KV.GET", key], { do: "get" });
  }

  #call(
    load: Load,
    client: LoadClient,
    key: string,
    words: readonly string[],
    call: SwapCall,
    seen: Map<string, number>,
    next: () => void,
  ): void {
    const { world } = load;
    const invokedMs = world.nowMs;
    client.send(words, (reply) => {
      const answer = answerOf(call, reply);
      const history = this.#histories.get(key);
      if (isKnown(answer)) {
        history?.record(call, answer, invokedMs, world.nowMs);
        const version = Number.parseInt(String(answer));
        if (version > 0) seen.set(key, version);
      } else if (call.do !== "get" && !isRefused(answer)) {
        history?.record(call, undefined, invokedMs, world.nowMs);
      }
      next();
    });
  }

  async check(load: Load): Promise<void> {
    const get: SwapCall = { do: "get" };
    for (const [key, history] of this.#histories) {
      await recordFinalRead(load, history, get, ["KV.GET", key], (reply) => answerOf(get, reply));
      load.judge.expect(SWAP, history.operations, key);
    }
  }
}

/** A reply as the model has it. */
function answerOf(call: SwapCall, reply: Answer): Answer {
  if (reply instanceof MinikeyError) {
    const isMismatch = reply.code === "VERSION_MISMATCH" || reply.code === "KEY_EXISTS";
    return isMismatch ? ANOTHER_VERSION : reply;
  }
  if (!isKnown(reply)) return reply;
  if (call.do === "get") {
    if (reply === null) return NOTHING;
    const [, version, , value] = reply as [string, number, number, string];
    return `${version} ${value}`;
  }
  if (call.do === "remove") return reply === 0 ? ANOTHER_VERSION : String(reply);
  const [, version] = reply as [number, number];
  return `${version}`;
}
