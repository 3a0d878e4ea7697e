/** The order of one connection's commands: what may run side by side, and what waits for what. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type CommandKind, ContextOrder } from "../../../src/node/context-order.js";

/** Commands by number; the test says when each is answered. */
class Pipeline {
  readonly order = new ContextOrder();
  readonly started: number[] = [];
  readonly underWay = new Set<number>();
  readonly kinds: CommandKind[] = [];

  submit(kind: CommandKind): void {
    const number = this.kinds.length;
    this.kinds.push(kind);
    if (this.order.tryStart(kind)) this.#onStart(number);
    else this.order.defer({ kind, sizeBytes: 1, start: () => this.#onStart(number) });
  }

  finish(number: number): void {
    assert(this.underWay.delete(number), `${number} is not under way`);
    this.order.finish();
  }

  #onStart(number: number): void {
    this.started.push(number);
    this.underWay.add(number);
  }
}

test("reads run side by side, and so do writes, but not both", () => {
  const pipeline = new Pipeline();
  for (const kind of ["write", "write", "read", "read", "write"] as const) pipeline.submit(kind);
  assert.deepEqual(pipeline.started, [0, 1]);
  pipeline.finish(1);
  assert.deepEqual(pipeline.started, [0, 1]);
  pipeline.finish(0);
  assert.deepEqual(pipeline.started, [0, 1, 2, 3]);
  pipeline.finish(2);
  pipeline.finish(3);
  assert.deepEqual(pipeline.started, [0, 1, 2, 3, 4]);
});

test("a command does not overtake one that waits, even of the kind that is under way", () => {
  const pipeline = new Pipeline();
  for (const kind of ["write", "read", "write"] as const) pipeline.submit(kind);
  assert.deepEqual(pipeline.started, [0]);
});

test("what runs alone waits for everything before it, and everything after it waits", () => {
  const pipeline = new Pipeline();
  for (const kind of ["alone", "alone", "read"] as const) pipeline.submit(kind);
  assert.deepEqual(pipeline.started, [0]);
  pipeline.finish(0);
  assert.deepEqual(pipeline.started, [0, 1]);
  pipeline.finish(1);
  assert.deepEqual(pipeline.started, [0, 1, 2]);
});

test("very many commands that are answered at once when they start do not overflow the stack", () => {
  const order = new ContextOrder();
  assert(order.tryStart("write"));
  let answered = 0;
  const start = () => {
    answered += 1;
    order.finish();
  };
  for (let i = 0; i < 100_000; i += 1)
    order.defer({ kind: i % 3 === 0 ? "write" : "read", sizeBytes: 1, start });
  order.finish();
  assert.equal(answered, 100_000);
  assert(order.tryStart("alone"), "nothing is left under way");
});

test("whatever is sent and however it is answered, each starts once, in order, and never with another kind", () => {
  const step = fc.oneof(
    fc.constantFrom<CommandKind>("read", "write", "alone"),
    fc.record({ finish: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pipeline = new Pipeline();
      const finishOne = (choice: number) => {
        const open = [...pipeline.underWay];
        if (open.length > 0) pipeline.finish(open[choice % open.length]);
      };
      const check = () => {
        const kinds = [...pipeline.underWay].map((number) => pipeline.kinds[number]);
        assert(new Set(kinds).size <= 1, `under way together: ${kinds.join(" ")}`);
        assert(!kinds.includes("alone") || kinds.length === 1);
        assert.deepEqual(pipeline.started, [...pipeline.started.keys()]);
        assert.equal(pipeline.order.keptBytes, pipeline.kinds.length - pipeline.started.length);
      };
      for (const each of steps) {
        if (typeof each === "string") pipeline.submit(each);
        else finishOne(each.finish);
        check();
      }
      while (pipeline.underWay.size > 0) {
        finishOne(0);
        check();
      }
      assert.equal(pipeline.started.length, pipeline.kinds.length);
    }),
  );
});
