import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, it } from "node:test";
import { systemClock } from "../../../src/platform/clock.js";

const immediate = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

describe("the system's clock", () => {
  it("runs what waits for the turn's end in order, after all microtasks and input of the turn", async () => {
    const clock = systemClock();
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      // Within a file's callback, so that timers and other input of the same turn could come first.
      fs.stat(".", () => {
        clock.atTurnEnd(() => order.push("end 1"));
        clock.atTurnEnd(() => {
          order.push("end 2");
          clock.atTurnEnd(() => {
            order.push("next turn's end");
            resolve();
          });
        });
        process.nextTick(() => order.push("tick"));
        void Promise.resolve().then(() => order.push("microtask"), assert.fail);
        order.push("now");
      });
    });
    assert.deepEqual(order, ["now", "tick", "microtask", "end 1", "end 2", "next turn's end"]);
  });

  it("runs the rest at the turn's end when one of them throws", async () => {
    const clock = systemClock();
    const order: string[] = [];
    const thrown = new Promise<unknown>((resolve) => {
      process.once("uncaughtException", resolve);
    });
    // The test runner, too, listens for these.
    const others = process.listeners("uncaughtException").slice(0, -1);
    for (const other of others) process.off("uncaughtException", other);
    clock.atTurnEnd(() => order.push("first"));
    clock.atTurnEnd(() => {
      throw new Error("broken");
    });
    clock.atTurnEnd(() => order.push("last"));
    assert.equal(((await thrown) as Error).message, "broken");
    for (const other of others) process.on("uncaughtException", other);
    for (let i = 0; order.length < 2 && i < 10; i += 1) await immediate();
    assert.deepEqual(order, ["first", "last"]);
  });

  it("runs a timer once, not before its time, and not when it was cancelled", async () => {
    const clock = systemClock();
    const start = clock.monotonicMs();
    let cancelled = false;
    const cancel = clock.after(1, () => {
      cancelled = true;
    });
    cancel();
    cancel();
    await new Promise<void>((resolve) => {
      clock.after(20, resolve);
    });
    // Timers count whole milliseconds.
    assert(clock.monotonicMs() - start >= 19);
    assert.equal(cancelled, false);
  });

  it("runs a periodic timer until it is cancelled, and once for all the periods that were missed", async () => {
    const clock = systemClock();
    let runs = 0;
    await new Promise<void>((resolve) => {
      const cancel = clock.every(2, () => {
        runs += 1;
        if (runs === 1) {
          const until = performance.now() + 40;
          while (performance.now() < until);
          setImmediate(() => {
            assert(runs <= 2, `${runs} runs right after a blocked loop`);
          });
        }
        if (runs < 5) return;
        cancel();
        resolve();
      });
    });
    await new Promise<void>((resolve) => {
      clock.after(20, resolve);
    });
    assert.equal(runs, 5);
  });

  it("takes delays longer than Node.js's timers", async () => {
    const clock = systemClock();
    let fired = false;
    const cancel = clock.after(1e12, () => {
      fired = true;
    });
    await new Promise<void>((resolve) => {
      clock.after(5, resolve);
    });
    cancel();
    assert.equal(fired, false);
  });

  it("tells the time of day and one that never goes back", () => {
    const clock = systemClock();
    assert(Math.abs(clock.wallMs() - Date.now()) < 1000);
    const first = clock.monotonicMs();
    assert(clock.monotonicMs() >= first);
  });
});
