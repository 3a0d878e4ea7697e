import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startHarness } from "./harness.js";

describe("POST /compute", () => {
  it("answers with the result of a formula over stored numbers", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/person2", { body: { value: { address: { number: 12 } } } });
    await send("PUT", "/kv/half", { body: { value: 0.5 } });
    const compute = async (body: object): Promise<string> => {
      const answer = await send("POST", "/compute", { body });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers["content-type"], "application/json; charset=utf-8");
      return answer.text;
    };
    assert.equal(await compute({ expression: "1+1" }), '{"result":2}');
    assert.equal(await compute({ expression: "1/3", where: {} }), '{"result":0.3333333333333333}');
    assert.equal(await compute({ expression: "0*-1" }), '{"result":0}');
    assert.equal(await compute({ expression: "10^21" }), '{"result":1e+21}');
    const where = { x: "person2.address.number" };
    assert.equal(await compute({ expression: "2*x", where }), '{"result":24}');
    assert.equal(await compute({ expression: "sin(x*2.5)", where, angle: "degrees" }), '{"result":0.5}');
    assert.equal(
      await compute({ expression: "acos(h)", where: { h: "half" }, angle: "degrees" }),
      '{"result":60}',
    );
  });

  it("takes names for what they are, __proto__ too", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/n", { body: { value: 5 } });
    const body = '{"expression":"__proto__+constructor","where":{"__proto__":"n","constructor":"n"}}';
    const headers = { "content-type": "application/json" };
    assert.equal((await send("POST", "/compute", { headers, body })).text, '{"result":10}');
  });

  it("computes in the keyspace of the path, at the level asked for", async (t) => {
    const { send, database } = await startHarness(t);
    await database.createKeyspace({ name: "other", consistency: "strong", storage: "memory" });
    await send("PUT", "/kv/n", { body: { value: 1 } });
    await send("PUT", "/keyspaces/other/kv/n", { body: { value: 2 } });
    const body = { expression: "n", where: { n: "n" } };
    assert.equal((await send("POST", "/compute", { body })).text, '{"result":1}');
    assert.equal((await send("POST", "/keyspaces/other/compute", { body })).text, '{"result":2}');
    assert.equal((await send("POST", "/compute?consistency=stale", { body })).text, '{"result":1}');
    assert.equal((await send("POST", "/compute?consistency=some", { body })).status, 400);
    assert.equal((await send("POST", "/keyspaces/none/compute", { body })).status, 404);
    assert.equal((await send("GET", "/compute")).status, 405);
  });

  it("refuses what is no such request, and names what is wrong", async (t) => {
    const { send } = await startHarness(t);
    const cases: [body: string, message: string][] = [
      ["{}", "Expression is required"],
      ['{"expression":5}', '"expression": expected a string, got 5'],
      ['{"expression":null}', '"expression": expected a string, got null'],
      ['{"expression":"x","where":["x"]}', '"where": expected an object, got ["x"]'],
      ['{"expression":"x","where":{"x":5}}', '"x": expected a string, got 5'],
      ['{"expression":"x","where":{"x":"a","x":"b"}}', '"where": "x" is given twice'],
      ['{"expression":"1","angle":"turns"}', '"angle": expected "radians" or "degrees", got "turns"'],
      ['{"expression":"1","extra":1}', 'unknown member "extra": expected "expression", "where" and "angle"'],
      ['{"expression":"1+"}', 'formula: unexpected end of the formula: expected a number, a name or "("'],
      ['{"expression":"x"}', "formula: x at column 1 is not bound: add WHERE x = QUERY path"],
      ['{"expression":"1","where":{"x":"a"}}', "x is bound, but the formula does not use it"],
      ['{"expression":"x WHERE x = QUERY a","where":{"x":"a"}}', 'formula: unexpected "=" at column 11'],
    ];
    for (const [body, message] of cases) {
      const answer = await send("POST", "/compute", {
        headers: { "content-type": "application/json" },
        body,
      });
      assert.deepEqual([answer.status, answer.json()], [400, { error: message, code: "BAD_REQUEST" }], body);
    }
    const text = await send("POST", "/compute", { headers: { "content-type": "text/plain" }, body: "1+1" });
    assert.equal(text.status, 415);
    assert.equal((await send("POST", "/compute?angle=degrees", { body: { expression: "1" } })).status, 400);
  });

  it("says 422 for what cannot be computed and 404 for what is not there", async (t) => {
    const { send } = await startHarness(t);
    await send("PUT", "/kv/doc", { body: { value: { name: "John" } } });
    const compute = async (expression: string, where: object): Promise<unknown[]> => {
      const answer = await send("POST", "/compute", { body: { expression, where } });
      return [answer.status, answer.json()];
    };
    assert.deepEqual(await compute("1/0", {}), [
      422,
      { error: "1 / 0: division by zero", code: "COMPUTE_ERROR" },
    ]);
    assert.deepEqual(await compute("x", { x: "doc.name" }), [
      422,
      { error: 'x = QUERY doc.name: expected a number, got text ("John")', code: "COMPUTE_ERROR" },
    ]);
    assert.deepEqual(await compute("x", { x: "doc.age" }), [
      404,
      { error: 'x = QUERY doc.age: doc has no field "age"', code: "PATH_NOT_FOUND" },
    ]);
  });
});
