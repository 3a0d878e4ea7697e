/** The judge of histories, on ones whose verdict is known, and on small random ones that all orders can be tried of. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Judge, judge, type Model, type Operation } from "../../../sim/checks/linearizability.js";
import { shorten } from "../../../sim/checks/shortest-history.js";
import { Seeded } from "../../support/seeded.js";

type Call = { readonly do: "get" } | { readonly do: "set"; readonly value: string };

const REGISTER: Model<Call> = {
  initial: "0",
  step: (state, call, answer) => {
    if (call.do === "set") return [call.value];
    return answer === state ? [state] : [];
  },
};

const set = (value: string, invokedMs: number, returnedMs: number): Operation<Call> => ({
  call: { do: "set", value },
  answer: returnedMs === Infinity ? undefined : "OK",
  invokedMs,
  returnedMs,
});
const get = (answer: string, invokedMs: number, returnedMs: number): Operation<Call> => ({
  call: { do: "get" },
  answer,
  invokedMs,
  returnedMs,
});

describe("a history of a register", () => {
  it("is linearizable when an order explains it", () => {
    const good: Record<string, Operation<Call>[]> = {
      empty: [],
      "one after the other": [set("1", 0, 1), get("1", 2, 3), set("2", 4, 5), get("2", 6, 7)],
      "a read during a write sees the old or the new": [set("1", 0, 10), get("0", 1, 2), get("1", 3, 4)],
      "two writes at once, in either order": [set("1", 0, 10), set("2", 0, 10), get("1", 11, 12)],
      "an unknown write that was done much later": [set("1", 0, Infinity), get("0", 5, 6), get("1", 9, 10)],
      "an unknown write that was never done": [set("1", 0, Infinity), get("0", 5, 6), get("0", 9, 10)],
      "what touches at one moment is at once": [set("1", 0, 5), get("0", 5, 6)],
    };
    for (const [name, history] of Object.entries(good)) {
      assert.equal(judge(REGISTER, history), "linearizable", name);
    }
  });

  it("is not when none does", () => {
    const bad: Record<string, Operation<Call>[]> = {
      "a stale read": [set("1", 0, 1), get("0", 2, 3)],
      "a value that nobody wrote": [get("7", 0, 1)],
      "new, then old, during a write": [set("1", 0, 10), get("1", 1, 2), get("0", 3, 4)],
      "a read of a write that began later": [get("1", 0, 1), set("1", 2, 3)],
      "two readers who disagree on the order": [
        set("1", 0, 10),
        set("2", 0, 10),
        get("1", 11, 12),
        get("2", 13, 14),
      ],
      "an unknown write that was undone": [set("1", 0, Infinity), get("1", 5, 6), get("0", 9, 10)],
    };
    for (const [name, history] of Object.entries(bad)) {
      assert.equal(judge(REGISTER, history), "not linearizable", name);
    }
  });
});

/** Tries every order: of the known all, of the unknown any. */
function explains<C>(model: Model<C>, state: string, left: readonly Operation<C>[]): boolean {
  if (left.every(({ returnedMs }) => returnedMs === Infinity)) return true;
  return left.some((operation, i) => {
    const others = left.filter((_, j) => j !== i);
    if (others.some(({ returnedMs }) => returnedMs < operation.invokedMs)) return false;
    return model
      .step(state, operation.call, operation.answer)
      .some((after) => explains(model, after, others));
  });
}

function randomHistory(random: Seeded): Operation<Call>[] {
  return Array.from({ length: 2 + random.below(5) }, () => {
    const invokedMs = random.below(12);
    const returnedMs = invokedMs + 1 + random.below(6);
    const value = `${random.below(3)}`;
    if (random.chance(0.5)) return get(value, invokedMs, returnedMs);
    return set(value, invokedMs, random.chance(0.25) ? Infinity : returnedMs);
  });
}

it("the judge says of small histories what trying every order says", () => {
  const random = new Seeded(20_260_101);
  const verdicts = { linearizable: 0, "not linearizable": 0 };
  for (let i = 0; i < 4_000; i += 1) {
    const history = randomHistory(random);
    const expected = explains(REGISTER, REGISTER.initial, history) ? "linearizable" : "not linearizable";
    assert.equal(judge(REGISTER, history), expected, JSON.stringify(history));
    verdicts[expected] += 1;
  }
  assert.ok(Math.min(...Object.values(verdicts)) > 400, JSON.stringify(verdicts));
});

type TextCall = "get" | "append a" | "append b" | "clear" | "halve";

/** A text, with calls that change places as they like, that do not, and one that goes one way or the other. */
const TEXT: Model<TextCall> = {
  initial: "",
  step: (state, call, answer) => {
    if (call === "get") return answer === state ? [state] : [];
    if (call === "clear") return [""];
    if (call === "halve") return [state.slice(0, state.length >> 1), state.slice(state.length >> 1)];
    const after = state + call.slice(-1);
    return answer === undefined || answer === after.length ? [after] : [];
  },
};

/** Calls that were carried out in some order, many without an answer and some never; at times one read is wrong. */
function randomTexts(random: Seeded): Operation<TextCall>[] {
  const planned = Array.from({ length: 6 + random.below(3) }, () => {
    const invokedMs = random.below(12);
    const isUnknown = random.chance(0.5);
    const call = isUnknown
      ? random.pick<TextCall>(["append a", "append b", "clear", "halve"])
      : random.pick<TextCall>(["get", "get", "get", "append a", "append b", "clear"]);
    const returnedMs = isUnknown ? Infinity : invokedMs + 1 + random.below(6);
    return { call, invokedMs, returnedMs, doneMs: invokedMs + random.unit() * (isUnknown ? 20 : 1) };
  });
  let state = TEXT.initial;
  const history: Operation<TextCall>[] = [];
  for (const { call, invokedMs, returnedMs } of planned.sort((a, b) => a.doneMs - b.doneMs)) {
    state = random.pick(TEXT.step(state, call, call === "get" ? state : undefined));
    const reply = call.startsWith("append") ? state.length : "OK";
    const answer = returnedMs === Infinity ? undefined : call === "get" ? state : reply;
    history.push({ call, answer, invokedMs, returnedMs });
  }
  const wrong = random.below(2 * history.length);
  const read = history[wrong] as Operation<TextCall> | undefined;
  if (read?.call === "get") history[wrong] = { ...read, answer: `${state}b` };
  return history;
}

it("the judge loses nothing by leaving out orders of what was never answered", () => {
  const random = new Seeded(7);
  const verdicts = { linearizable: 0, "not linearizable": 0 };
  for (let i = 0; i < 3_000; i += 1) {
    const history = randomTexts(random);
    const expected = explains(TEXT, TEXT.initial, history) ? "linearizable" : "not linearizable";
    assert.equal(judge(TEXT, history), expected, JSON.stringify(history));
    verdicts[expected] += 1;
  }
  assert.ok(Math.min(...Object.values(verdicts)) > 200, JSON.stringify(verdicts));
});

it("a broken history is told as its shortest part that is broken", () => {
  const history = [
    set("1", 0, 1),
    get("1", 2, 3),
    set("2", 4, 5),
    get("2", 6, 7),
    get("1", 8, 9),
    set("3", 10, 11),
    get("3", 12, 13),
  ];
  assert.deepEqual(shorten(REGISTER, history), [set("1", 0, 1), set("2", 4, 5), get("1", 8, 9)]);
});

it("the shortest part shows the calls without an answer that explain what others saw, and no more", () => {
  const history = [
    set("9", 0, 1),
    set("8", 0, Infinity),
    set("1", 2, 20),
    get("9", 3, 4),
    get("1", 5, 6),
    get("9", 7, 8),
    set("7", 8, Infinity),
  ];
  assert.deepEqual(
    shorten(REGISTER, history).map(({ call, invokedMs }) => [call, invokedMs]),
    [
      [{ do: "set", value: "9" }, 0],
      [{ do: "set", value: "1" }, 2],
      [{ do: "get" }, 5],
      [{ do: "get" }, 7],
    ],
  );
});

it("nothing of what is told of random histories can be left out", () => {
  const random = new Seeded(11);
  let told = 0;
  for (let i = 0; i < 1_000; i += 1) {
    const history = randomTexts(random);
    if (judge(TEXT, history) !== "not linearizable") continue;
    const shortest = shorten(TEXT, history);
    assert.equal(judge(TEXT, shortest), "not linearizable", JSON.stringify(history));
    for (const left of shortest.filter(({ answer }) => answer !== undefined)) {
      const unknown = { ...left, answer: undefined, returnedMs: Infinity };
      const part = shortest.map((operation) => (operation === left ? unknown : operation));
      assert.equal(judge(TEXT, part), "linearizable", JSON.stringify({ history, shortest, left }));
    }
    told += 1;
  }
  assert.ok(told > 50, `${told}`);
});

it("a history that takes too long is counted as one of which nothing can be told", () => {
  const hard = Array.from({ length: 24 }, (_, i) => set(`${i}`, 0, 1_000));
  const judged = new Judge(2_000);
  judged.expect(REGISTER, [set("1", 0, 1), get("1", 2, 3)], "easy");
  judged.expect(REGISTER, [...hard, get("nobody wrote this", 2_000, 2_001)], "hard");
  assert.deepEqual([judged.told, judged.untold], [1, 1]);
  assert.throws(() => judged.expect(REGISTER, [get("7", 0, 1)], "wrong"), /what was answered of wrong/);
});
