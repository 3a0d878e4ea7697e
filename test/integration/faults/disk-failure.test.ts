/** A disk that refuses writes under a real process; how every operation may fail is in the unit tests. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { withCluster } from "../../support/cluster.js";
import { assertKept } from "../../support/history.js";
import { refuseWrites, skipWithoutStrace } from "../../support/strace.js";
import { assertEndedWithMessage, writeUntilEnd } from "../../support/write-until-end.js";

const skip = skipWithoutStrace("it makes writes of a process fail");

/** Writes until the node ends, whose disk refuses writes to `file`, or any; all that it answered is there then. */
async function endsAndKeeps(
  t: TestContext,
  refused: { readonly nth: number; readonly file?: string },
  why: RegExp,
): Promise<void> {
  await withCluster({ nodes: 1 }, async (cluster) => {
    const node = cluster.node("n1");
    const file = refused.file === undefined ? undefined : join(node.dataDir, refused.file);
    await refuseWrites(t, node.pid ?? 0, refused.nth, file);
    const history = await writeUntilEnd(cluster, "n1", "n1");
    await assertEndedWithMessage(cluster, "n1", why);

    await cluster.restart("n1");
    const verdict = await history.check(await cluster.resp("n1"));
    assertKept(verdict);
    assert.ok(verdict.answered > 10, `${verdict.answered} writes were answered before`);
    t.diagnostic(`EIO: ${verdict.answered} answered writes of 100 kB, all there after the restart`);
  });
}

test("a node whose log cannot be written stops with a message, and has all that it answered", {
  skip,
}, async (t) => {
  await endsAndKeeps(t, { nth: 20 }, /minikey: cannot write .*wal.*: EIO/);
});

test("a node whose checkpoint cannot be written stops with a message, and has all that it answered", {
  skip,
}, async (t) => {
  await endsAndKeeps(
    t,
    { nth: 1, file: "disk/data.mdb" },
    /minikey: writing to .*disk failed: .*Input.output error/,
  );
});
