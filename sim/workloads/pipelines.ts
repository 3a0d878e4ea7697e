/**
 * Pipelines: a client sends many commands without waiting for an answer. Each list of numbers that it appends
 * to must stay in order, without repeats, with everything that was acknowledged and nothing that was refused;
 * a read sees exactly the acknowledged writes before it. Others copy the lists meanwhile, which locks them.
 */
import assert from "node:assert/strict";
import { isKnown, isRefused, newContext, SimClient } from "../cluster/client.js";
import type { SimNode } from "../cluster/cluster.js";
import type { SimProcess } from "../world/world.js";
import { finalValue } from "./final-read.js";
import { repeat, type SimLoad, type SimWorkload } from "./workload.js";

/** One connection's list. */
interface List {
  readonly key: string;
  readonly sim: SimNode;
  readonly process: SimProcess | undefined;
  sent: number;
  /** By number. */
  readonly acknowledged: Set<number>;
  readonly refused: Set<number>;
  /** Commands under way. */
  open: number;
}

function numbersOf(text: string): number[] {
  return text.split(",").slice(0, -1).map(Number);
}

export class Pipelines implements SimWorkload {
  readonly name = "pipelines";
  readonly property = "order of a connection";
  readonly #lists: List[] = [];
  readonly #seen: { key: string; text: string; invokedMs: number; returnedMs: number }[] = [];

  start(load: SimLoad): void {
    for (let i = 0; i < 2; i += 1) this.#runWriter(load);
    const reader = new SimClient(load.cluster, {}, 0.3);
    repeat(load, (next) => this.#readSome(load, reader, next));
    const copier = new SimClient(load.cluster);
    repeat(load, (next) => this.#copySome(load, copier, next));
  }

  #runWriter(load: SimLoad): void {
    const { world } = load.cluster;
    let list: List | undefined;
    let context = newContext();
    const isUsable = () => list?.sim.process === list?.process && list?.process?.isAlive === true;
    repeat(load, (next) => {
      if (list === undefined || !isUsable() || world.random.chance(0.05)) {
        const sim = world.random.pick(load.cluster.nodes);
        list = this.#newList(sim);
        context = newContext();
      }
      if (list.sim.node !== undefined && list.open < 200) this.#sendBurst(load, list, context);
      next();
    });
  }

  #newList(sim: SimNode): List {
    const list: List = {
      key: `p${this.#lists.length}`,
      sim,
      process: sim.process,
      sent: 0,
      acknowledged: new Set(),
      refused: new Set(),
      open: 0,
    };
    this.#lists.push(list);
    return list;
  }

  #sendBurst(load: SimLoad, list: List, context: ReturnType<typeof newContext>): void {
    const { world, submissions } = load.cluster;
    for (let left = 1 + world.random.below(8); left > 0; left -= 1) {
      list.open += 1;
      if (world.random.chance(0.7)) {
        list.sent += 1;
        const number = list.sent;
        submissions.submit(list.sim, ["APPEND", list.key, `${number},`], context, (answer) => {
          list.open -= 1;
          if (isKnown(answer)) list.acknowledged.add(number);
          else if (isRefused(answer)) list.refused.add(number);
        });
      } else {
        const invokedMs = world.nowMs;
        const lastSent = list.sent;
        const words = world.random.chance(0.5) ? ["GET", list.key] : ["MGET", list.key, "absent"];
        submissions.submit(list.sim, words, context, (answer) => {
          list.open -= 1;
          if (!isKnown(answer)) return;
          const text = (Array.isArray(answer) ? (answer as unknown[])[0] : answer) as string | null;
          this.#checkOwnRead(load, list, lastSent, text ?? "");
          this.#seen.push({ key: list.key, text: text ?? "", invokedMs, returnedMs: world.nowMs });
        });
      }
    }
  }

  /** All that the connection had been told of before it asked is there, and nothing that it sent later. */
  #checkOwnRead(load: SimLoad, list: List, lastSent: number, text: string): void {
    const numbers = new Set(numbersOf(text));
    for (const number of list.acknowledged) {
      if (number > lastSent) continue;
      load.expect(numbers.has(number), `${list.key}: ${number} was acknowledged and is not in ${text}`);
    }
    for (const number of numbers) {
      load.expect(
        number <= lastSent,
        `${list.key}: ${number} was sent after the read that shows it, ${text}`,
      );
    }
  }

  #readSome(load: SimLoad, client: SimClient, next: () => void): void {
    const { world } = load.cluster;
    if (this.#lists.length === 0) {
      next();
      return;
    }
    const { key } = world.random.pick(this.#lists.slice(-4));
    const invokedMs = world.nowMs;
    client.send(["GET", key], (answer) => {
      if (typeof answer === "string") {
        this.#seen.push({ key, text: answer, invokedMs, returnedMs: world.nowMs });
      }
      next();
    });
  }

  #copySome(_load: SimLoad, client: SimClient, next: () => void): void {
    const list = this.#lists.at(-1);
    if (list === undefined) {
      next();
      return;
    }
    client.send(["COPY", list.key, `c${list.key}`, "REPLACE"], () => next());
  }

  async check(load: SimLoad): Promise<void> {
    const { world } = load.cluster;
    const client = new SimClient(load.cluster);
    for (const list of this.#lists) {
      for (const key of [list.key, `c${list.key}`]) {
        const text = await finalValue(load, client, key);
        const numbers = numbersOf(text ?? "");
        checkOrder(list, numbers);
        if (key !== list.key) continue;
        for (const number of list.acknowledged) {
          assert(numbers.includes(number), `${key}: ${number} was acknowledged and is lost: ${text}`);
        }
        this.#seen.push({ key, text: text ?? "", invokedMs: world.nowMs, returnedMs: world.nowMs });
      }
      this.#checkReads(list);
    }
  }

  /** Lists only grow: whatever was read is how the list begins, and who reads later reads no less. */
  #checkReads({ key }: List): void {
    const seen = this.#seen.filter((read) => read.key === key);
    const whole = seen.at(-1)?.text ?? "";
    for (const { text } of seen) {
      const isBeginning = whole.startsWith(text) && (text === "" || text.endsWith(","));
      assert(isBeginning, `${key}: ${text} was read, and later ${whole}`);
    }
    const returned = [...seen].sort((a, b) => a.returnedMs - b.returnedMs);
    let [longest, at] = ["", 0];
    for (const { text, invokedMs } of [...seen].sort((a, b) => a.invokedMs - b.invokedMs)) {
      for (; at < returned.length && returned[at].returnedMs < invokedMs; at += 1) {
        if (returned[at].text.length > longest.length) longest = returned[at].text;
      }
      assert(text.length >= longest.length, `${key}: ${longest} was read, and later ${text}`);
    }
  }
}

function checkOrder(list: List, numbers: readonly number[]): void {
  for (let i = 1; i < numbers.length; i += 1) {
    assert(numbers[i - 1] < numbers[i], `${list.key} is out of order: ${numbers.join(",")}`);
  }
  const ghost = numbers.find((number) => list.refused.has(number));
  assert(ghost === undefined, `${list.key}: ${ghost} was refused as not applied, but is there`);
}
