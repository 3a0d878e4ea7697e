/**
 * `minikey load` of real data, into a cluster of real processes: everything that is in the files is in the cluster
 * afterwards, as another client reads it. The fixtures are parts of larger files; these are loaded too when
 * `MINIKEYDB_TEST_DATA` names a directory with `cities.jsonl.gz`, `countries.jsonl` or `minikeydb/test_data_0.txt`.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { type Cluster, withCluster } from "../support/cluster.js";
import { minikeyPath, repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirement.js";

const fixture = (name: string): string => join(repositoryRoot, "test/fixtures", name);
const people = join(repositoryRoot, "examples/people.txt");
const dataDirectory = process.env["MINIKEYDB_TEST_DATA"];

/** The records of a file, read without the product: of a key that comes twice, the last. */
function readRecords(path: string): Map<string, unknown> {
  const bytes = readFileSync(path);
  const lines = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString().split(/\r?\n/);
  const records = new Map<string, unknown>();
  for (const line of lines.filter((text) => text !== "")) {
    if (path.endsWith(".txt")) {
      const colon = line.indexOf(":");
      records.set(line.slice(0, colon), line.slice(colon + 1));
    } else {
      const { key, value } = JSON.parse(line) as { key: string; value: unknown };
      records.set(key, value);
    }
  }
  return records;
}

function load(
  cluster: Cluster,
  path: string,
): Readonly<Record<"loaded" | "created" | "replaced" | "failed", number>> {
  const connect = cluster.addresses.join(",");
  const args = [minikeyPath, "load", path, "--json", "--connect", connect];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 60_000 });
  assert.deepEqual([status, stderr], [0, ""], path);
  return JSON.parse(stdout);
}

const BATCH = 1_000;

/** Fails unless every record is in the cluster as it is in the file, and reads no other key twice. */
async function assertStored(cluster: Cluster, records: ReadonlyMap<string, unknown>): Promise<void> {
  const client = await cluster.resp("n2", { replyTimeoutMs: 30_000 });
  const all = [...records];
  for (let first = 0; first < all.length; first += BATCH) {
    const batch = all.slice(first, first + BATCH);
    const replies = await client.pipeline(batch.map(([key]) => ["GET", key]));
    for (const [i, [key, value]] of batch.entries()) {
      const reply = replies[i] as string;
      if (typeof value === "string") assert.equal(reply, value, key);
      else assert.deepEqual(JSON.parse(reply), value, key);
    }
  }
  client.close();
}

/** Loads a file twice: the first time everything is new, the second time nothing. */
async function testFile(cluster: Cluster, path: string): Promise<void> {
  const records = readRecords(path);
  const first = load(cluster, path);
  assert.deepEqual([first.created, first.failed], [records.size, 0], path);
  await assertStored(cluster, records);
  const second = load(cluster, path);
  assert.deepEqual([second.created, second.replaced, second.failed], [0, first.loaded, 0], path);
  await assertStored(cluster, records);
}

test("people.txt, cities, countries and key:value lines are all in the cluster after they were loaded", async () => {
  await withCluster({}, async (cluster) => {
    assert.deepEqual(
      { ...load(cluster, people), seconds: 0, recordsPerSecond: 0 },
      {
        loaded: 4,
        created: 4,
        replaced: 0,
        failed: 0,
        lastLine: 4,
        seconds: 0,
        recordsPerSecond: 0,
      },
    );
    await assertStored(
      cluster,
      new Map<string, unknown>([
        ["person1", { name: "John", age: 22 }],
        ["person2", { name: "Mary", address: { street: "Panepistimiou", number: 12 } }],
        ["person3", { height: 1.75, profession: "student" }],
        ["person4", {}],
      ]),
    );
    for (const name of ["cities.jsonl.gz", "countries.jsonl", "pairs.txt"])
      await testFile(cluster, fixture(name));
    const client = await cluster.resp("n3");
    assert.equal(await client.call("DBSIZE"), 4 + 22 + 3 + 6);
    assert.deepEqual(
      await client.pipeline([
        ["TYPE", "person4"],
        ["TYPE", "time"],
        ["GET", "time"],
        ["GET", "empty"],
      ]),
      ["json", "string", "12:30", ""],
    );
    client.close();
  });
});

const large = ["cities.jsonl.gz", "countries.jsonl", "minikeydb/test_data_0.txt"].filter(
  (name) => dataDirectory !== undefined && existsSync(join(dataDirectory, name)),
);
const skip = skipWithout(
  "data",
  large.length > 0
    ? undefined
    : "MINIKEYDB_TEST_DATA names no directory with the large files: they are not loaded",
);

test("the large files are all in the cluster after they were loaded", { skip }, async () => {
  await withCluster({}, async (cluster) => {
    for (const name of large) await testFile(cluster, join(dataDirectory ?? "", name));
  });
});
