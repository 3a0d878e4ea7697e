/**
 * The examples of the Trie key-value store, on a cluster of three real processes: every result, from every node, by
 * RESP, HTTP, the shell and the programs that users have; before and after a node is killed.
 */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { Cluster } from "../support/cluster.js";
import { minikeyPath, repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirement.js";
import { type RespClient, RespError } from "../support/resp-client.js";
import { waitFor } from "../support/wait.js";

const run = promisify(execFile);

/** As the table of the assignment binds them. */
const PATHS = {
  x: "person2.address.number", // 12
  y: "person1.age", // 22
  z: "person3.height", // 1.75
} as const;

/** Formula, result in radians, result in degrees where it is another one. */
const EXAMPLES: readonly (readonly [formula: string, radians: number, degrees?: number])[] = [
  ["2*x", 24],
  ["2-x", -10],
  ["x+x", 24],
  ["x/2", 6],
  ["2^x", 4096],
  ["2*x+3", 27],
  ["2*(x+3)", 30],
  ["log(2*(x+3))", 1.4771212547196624],
  ["2/(x+3*(y+z))", 0.024024024024024024],
  ["cos(x)-tan(2*y+3)", 0.9683815268652294, -0.0942211092908769],
  ["1+1", 2],
];

const CITIES = [
  '{"key":"city:AD:Vila","value":{"name":"Vila","country":"AD","location":{"lat":42.53176,"lng":1.56654}}}',
  '{"key":"city:IN:Jangaon","value":{"name":"Jangaon","country":"IN","location":{"lat":17.72602,"lng":79.15236}}}',
];
/** In degrees of latitude and longitude. */
const DISTANCE = Math.hypot(42.53176 - 17.72602, 1.56654 - 79.15236);

type Variable = keyof typeof PATHS;

const variablesOf = (formula: string): Variable[] =>
  (Object.keys(PATHS) as Variable[]).filter((name) => new RegExp(`\\b${name}\\b`).test(formula));

/** ` WHERE x = QUERY … AND …`, or nothing. */
function whereOf(formula: string): string {
  const bindings = variablesOf(formula).map((name) => `${name} = QUERY ${PATHS[name]}`);
  return bindings.length === 0 ? "" : ` WHERE ${bindings.join(" AND ")}`;
}

function isNear(result: number, expected: number, what: string): void {
  assert.ok(Math.abs(result - expected) < 1e-12, `${what} is ${expected}, not ${result}`);
}

const unlessMissing = (program: string, name: "redis" | "curl"): { skip: string | false } => {
  const { error } = spawnSync(program, ["--version"]);
  return {
    skip: skipWithout(name, error === undefined ? undefined : `${program} is missing: not tested with it`),
  };
};

/** A result of whole numbers must be that number and no other; others may differ in the last digit. */
function checkResult(text: string, expected: number, what: string): void {
  if (Number.isInteger(expected)) assert.equal(text, String(expected), what);
  else isNear(Number(text), expected, what);
}

describe("the examples of the Trie store, on three processes", () => {
  let cluster: Cluster;

  const minikey = async (...args: readonly string[]): Promise<string> =>
    (await run(process.execPath, [minikeyPath, ...args])).stdout.trimEnd();

  const addresses = (): string => cluster.addresses.join(",");

  const post = async (id: string, body: object): Promise<{ readonly result: number }> => {
    const response = await fetch(`${cluster.http(id)}/compute`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 200, `${JSON.stringify(body)} on ${id}: ${await response.clone().text()}`);
    return (await response.json()) as { readonly result: number };
  };

  before(async () => {
    cluster = await Cluster.start();
    await minikey("load", join(repositoryRoot, "examples", "people.txt"), "--connect", addresses());
    const cities = join(cluster.directory, "cities.jsonl");
    writeFileSync(cities, `${CITIES.join("\n")}\n`);
    await minikey("load", cities, "--connect", addresses());
  });

  after(async () => {
    await cluster.destroy();
  });

  async function checkByResp(id: string): Promise<void> {
    const client = await cluster.resp(id);
    for (const [formula, radians, degrees = radians] of EXAMPLES) {
      const line = `COMPUTE ${formula}${whereOf(formula)}`;
      for (const [unit, expected] of [
        ["", radians],
        [" RADIANS", radians],
        [" DEGREES", degrees],
      ] as const) {
        const result = await client.call(...`${line}${unit}`.split(" "));
        assert.equal(typeof result, "string", `${line}${unit} on ${id}: ${String(result)}`);
        checkResult(String(result), expected, `${line}${unit} on ${id}`);
      }
    }
    for (const [name, value] of [
      ["x", "12"],
      ["y", "22"],
      ["z", "1.75"],
    ] as const) {
      assert.equal(await client.call("QUERY", PATHS[name]), value, `${PATHS[name]} on ${id}`);
    }
    client.close();
  }

  async function checkByHttp(id: string): Promise<void> {
    for (const [expression, radians, degrees = radians] of EXAMPLES) {
      const where = Object.fromEntries(variablesOf(expression).map((name) => [name, PATHS[name]]));
      for (const [angle, expected] of [
        [undefined, radians],
        ["degrees", degrees],
      ] as const) {
        const { result } = await post(id, { expression, where, angle });
        checkResult(String(result), expected, `${expression} ${angle ?? ""} on ${id}`);
      }
    }
  }

  async function checkErrors(id: string): Promise<void> {
    const client = await cluster.resp(id);
    for (const [path, message] of [
      ["person1.name", 'COMPUTE v = QUERY person1.name: expected a number, got text ("John")'],
      ["person2.address", "COMPUTE v = QUERY person2.address: expected a number, got an object"],
      ["person2.address.nr", 'NOTFOUND v = QUERY person2.address.nr: person2.address has no field "nr"'],
      ["person9", "NOTFOUND v = QUERY person9: no such key: person9"],
    ]) {
      const call = client.call(..."COMPUTE v+x WHERE x = QUERY person1.age AND v = QUERY".split(" "), path);
      await assert.rejects(call, (error) => error instanceof RespError && error.message === message, path);
    }
    client.close();
  }

  it("are answered by every node, by RESP and by HTTP, in radians and in degrees", async () => {
    for (const id of cluster.ids) {
      await checkByResp(id);
      await checkByHttp(id);
      await checkErrors(id);
    }
  });

  async function checkShell(): Promise<void> {
    const shell = (command: string): Promise<string> =>
      minikey("shell", "--connect", addresses(), "-c", command);
    assert.equal(await shell("QUERY person2.address.number"), "person2.address.number -> 12");
    assert.equal(await shell("COMPUTE 2*(x+3) WHERE x = QUERY person2.address.number"), "30");
  }

  it("are answered in the shell", async () => {
    await checkShell();
  });

  async function checkRedisCli(id: string): Promise<void> {
    const words = ["WHERE", "x", "=", "QUERY", PATHS.x, "AND", "y", "=", "QUERY", PATHS.y];
    const args = ["-p", String(cluster.node(id).respPort), "COMPUTE", "cos(x)-tan(2*y+3)", ...words];
    const { stdout } = await run("redis-cli", args);
    isNear(Number(stdout), 0.9683815268652294, "redis-cli");
    isNear(Number((await run("redis-cli", [...args, "DEGREES"])).stdout), -0.0942211092908769, "redis-cli");
  }

  it("are answered to redis-cli", unlessMissing("redis-cli", "redis"), async () => {
    await checkRedisCli("n2");
  });

  async function checkCurl(id: string): Promise<void> {
    const where = {
      a: "city:AD:Vila.location.lat",
      b: "city:IN:Jangaon.location.lat",
      c: "city:AD:Vila.location.lng",
      d: "city:IN:Jangaon.location.lng",
    };
    const body = JSON.stringify({ expression: "sqrt((a-b)^2+(c-d)^2)", where });
    const headers = ["-H", "Content-Type: application/json"];
    const { stdout } = await run("curl", ["-sS", "-d", body, ...headers, `${cluster.http(id)}/compute`]);
    isNear((JSON.parse(stdout) as { result: number }).result, DISTANCE, "curl");
  }

  it("are answered to curl, over cities as over people", unlessMissing("curl", "curl"), async () => {
    await checkCurl("n1");
  });

  it("show one moment while what they add up changes, and go on when a node is killed", async () => {
    const total = 1000;
    const keys = ["moment-a", "moment-b", "moment-c"];
    const store = (part: number): string[] => {
      const parts = [part, 2 * part, total - 3 * part];
      return ["MSET", ...keys.flatMap((key, i) => [key, String(parts[i])])];
    };
    const writer = await cluster.resp("n1");
    const readers = await Promise.all(["n1", "n2"].map((id) => cluster.resp(id)));
    assert.equal(await writer.call(...store(1)), "OK");
    const question = ["COMPUTE", "a+b+c", "WHERE"];
    keys.forEach((key, i) => question.push(...(i === 0 ? [] : ["AND"]), `${"abc"[i]}=QUERY`, key));

    const counts = { writes: 0, computed: 0 };
    let isOver = false;
    /** The reply, or undefined when the cluster refuses: it may, while its leaders change. */
    const ask = async (client: RespClient, command: readonly string[]): Promise<unknown> => {
      try {
        return await client.call(...command);
      } catch (error) {
        assert.ok(error instanceof RespError && error.prefix !== "COMPUTE", String(error));
        return undefined;
      }
    };
    const write = async (): Promise<void> => {
      for (let part = 2; !isOver; part += 1) {
        if ((await ask(writer, store(part % 300))) === "OK") counts.writes += 1;
      }
    };
    const read = async (reader: RespClient): Promise<void> => {
      while (!isOver) {
        const sum = await ask(reader, question);
        if (sum === undefined) continue;
        assert.equal(sum, String(total));
        counts.computed += 1;
      }
    };
    const grown = async (by: number): Promise<void> => {
      const [writes, computed] = [counts.writes + by, counts.computed + by];
      const isDone = (): boolean => counts.writes >= writes && counts.computed >= computed;
      await waitFor(`${by} more writes and formulas`, () => Promise.resolve(isDone()), { timeoutMs: 30_000 });
    };
    const working = Promise.all([write(), ...readers.map(read)]);
    // What goes wrong with them is thrown below.
    working.catch(() => undefined);
    try {
      await Promise.race([grown(200), working]);
      await cluster.kill("n3");
      await Promise.race([grown(200), working]);
    } finally {
      isOver = true;
    }
    await working;
  });

  it("are the same when a node is dead", async () => {
    for (const id of ["n1", "n2"]) {
      await checkByResp(id);
      await checkByHttp(id);
      await checkErrors(id);
    }
    await checkShell();
  });

  it("are the same to redis-cli when a node is dead", unlessMissing("redis-cli", "redis"), async () => {
    await checkRedisCli("n2");
  });

  it("are the same to curl when a node is dead", unlessMissing("curl", "curl"), async () => {
    await checkCurl("n1");
  });
});
