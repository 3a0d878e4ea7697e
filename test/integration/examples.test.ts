/** The programs in examples/, as their comments say to run them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { withCluster } from "../support/cluster.js";
import { repositoryRoot } from "../support/repository.js";
import { makeTempDir } from "../support/temp-dir.js";

const ran = new Set<string>();

/** Runs an example to its end; fails unless it ends well. */
async function runExample(name: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [join(repositoryRoot, "examples", name)], {
    env: { ...process.env, ...environment },
  });
  let output = "";
  const keep = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const status = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  assert.equal(status, 0, output);
  ran.add(name);
  return output;
}

test("a database inside a program counts its runs", async (t) => {
  const environment = { DATA_DIR: makeTempDir(t) };
  assert.match(
    await runExample("embedded.mjs", environment),
    /has run 1 times\nstored over version \d+ - true/,
  );
  assert.match(await runExample("embedded.mjs", environment), /has run 2 times/);
});

test("the library, ioredis and fetch talk to a cluster", async () => {
  await withCluster({}, async (cluster) => {
    const [first] = cluster.nodes;
    const addresses = cluster.addresses.join(",");
    const client = await runExample("client.mjs", { MINIKEY_CONNECT: addresses });
    assert.match(client, /mykey is myvalue\n/);
    assert.match(client, /letter:b is B\n/);
    assert.match(client, /as expected: NOT_AN_INTEGER - .* - outcome not-applied\n$/);
    const ioredis = await runExample("ioredis.mjs", { REDIS_URL: `redis://127.0.0.1:${first.respPort}` });
    assert.match(
      ioredis,
      /^hello is world for (?:60|59) s\na pipeline: \[ 1, 2, '2' \]\nall or none: OK \[ '1', '2' \]/,
    );
    const http = await runExample("http.mjs", { MINIKEYDB_URL: cluster.http("n2") });
    assert.match(
      http,
      /^PUT 201 .*\nGET 200 .*\nPUT over that version 200 .*\nPUT over the old version 412 .*\nDELETE 200/,
    );
  });
});

test("no program in examples/ was left out", () => {
  const programs = readdirSync(join(repositoryRoot, "examples")).filter((name) => /\.[cm]?[jt]s$/.test(name));
  assert.deepEqual(programs.toSorted(), [...ran].toSorted());
});
