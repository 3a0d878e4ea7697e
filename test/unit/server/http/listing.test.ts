import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { latin1ToBytes } from "../../../../src/core/bytes.js";
import { keyspaceId } from "../../../../src/core/ids.js";
import { execute } from "../../../../src/server/execute.js";
import { startHarness } from "./harness.js";

const CONTEXT = { keyspace: keyspaceId(0), readLevel: "linearizable", writeLevel: "quorum" } as const;

describe("listing", () => {
  it("gives keys in byte order, by prefix, page by page", async (t) => {
    const { send } = await startHarness(t);
    const keys = ["a", "a b", "b/1", "b/10", "b/2", "b/é", "c"];
    for (const key of keys.toReversed())
      await send("PUT", `/kv/${encodeURIComponent(key)}`, { body: { value: 1 } });
    assert.deepEqual((await send("GET", "/kv")).json(), { keys, cursor: null });
    assert.deepEqual((await send("GET", "/kv?prefix=a+b")).json(), { keys: ["a b"], cursor: null });
    assert.deepEqual((await send("GET", "/kv?prefix=zz")).json(), { keys: [], cursor: null });
    const seen: string[] = [];
    let pages = 0;
    for (let cursor: string | null = ""; cursor !== null; pages++) {
      const more: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const page = (await send("GET", `/kv?prefix=b%2F&limit=2${more}`)).json() as {
        keys: string[];
        cursor: string | null;
      };
      seen.push(...page.keys);
      cursor = page.cursor;
    }
    assert.deepEqual(seen, ["b/1", "b/10", "b/2", "b/é"]);
    assert.equal(pages, 2);
  });

  it("tells keys that are not UTF-8 as base64, and pages over them", async (t) => {
    const { send, database } = await startHarness(t);
    await send("PUT", "/kv/a", { body: { value: 1 } });
    await execute(database, CONTEXT, ["SET", latin1ToBytes("b\u00ff"), "v"]);
    await send("PUT", "/kv/c", { body: { value: 1 } });
    const first = (await send("GET", "/kv?limit=2")).json() as { cursor: string };
    assert.deepEqual(first, { keys: ["a"], keysBase64: ["Yv8="], cursor: "Yv8" });
    assert.deepEqual((await send("GET", `/kv?cursor=${first.cursor}`)).json(), { keys: ["c"], cursor: null });
  });

  it("refuses a bad limit or cursor by name", async (t) => {
    const { send } = await startHarness(t);
    for (const limit of ["0", "1001", "-1", "x", "", "1.5", "1e2"]) {
      const answer = await send("GET", `/kv?limit=${limit}`);
      assert.equal(answer.status, 400);
      assert.deepEqual(answer.json(), {
        error: `limit: expected 1 to 1000, got ${JSON.stringify(limit)}`,
        code: "BAD_REQUEST",
      });
    }
    const answer = await send("GET", "/kv?cursor=%21");
    assert.deepEqual(answer.json(), {
      error: "cursor: expected one from an earlier answer",
      code: "BAD_REQUEST",
    });
  });
});
