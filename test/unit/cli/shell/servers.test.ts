/** The shell with a list of servers, against servers that say and do what a test needs. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { print } from "../../../../src/cli/shell/result.js";
import { Shell } from "../../../../src/cli/shell/shell.js";
import { waitFor } from "../../../support/wait.js";
import { type Answer, bulk, ScriptedNode, SILENCE } from "../../client/scripted-node.js";

const WARNING = "k or more servers are down and therefore the correct output cannot be guaranteed";
const REFUSED = "-CLUSTERDOWN no majority of the key's replicas can be reached\r\n";
/** Nothing listens there. */
const DOWN = ["127.0.0.1:1", "127.0.0.1:2"];

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const KEYSPACES = `*1\r\n%3\r\n${bulk("id")}:0\r\n${bulk("name")}${bulk("default")}${bulk("replicas")}:3\r\n`;
const VALUE = `*4\r\n${bulk("string")}:1\r\n:0\r\n${bulk("v")}`;

/** `CLUSTER NODES` of a cluster whose nodes are a, b, c … at these addresses. */
function nodesReply(self: number, addresses: readonly string[]): string {
  const lines = addresses.map((address, i) => {
    const flags = i === self ? "myself,master" : "master";
    return `${"abcde"[i]} ${address}@7380 ${flags} - 0 0 1 connected\n`;
  });
  return bulk(lines.join(""));
}

interface Scripted {
  readonly node: ScriptedNode;
  /** Commands about data that came, without those that ask about the cluster. */
  readonly commands: () => string[];
}

/** The first nodes of a cluster of three, of which the others are down; `answer` is for commands about data. */
async function startNodes(
  count: number,
  answer: (command: string, node: ScriptedNode) => Answer,
  hangs: (i: number) => boolean = () => false,
): Promise<[Scripted, ...Scripted[]]> {
  const addresses = [...DOWN.slice(0, 3 - count)];
  const start = async (i: number): Promise<Scripted> => {
    const node = await ScriptedNode.start((command, self) => {
      if (hangs(i)) return SILENCE;
      if (command === "CLUSTER NODES") return nodesReply(i, addresses);
      // Nobody leads anything: who holds what is not said.
      if (command === "CLUSTER SLOTS") return "*0\r\n";
      if (command === "KEYSPACE LIST") return KEYSPACES;
      return answer(command, self);
    });
    addresses.splice(i, 0, node.address);
    cleanups.push(() => node.stop());
    const isAboutData = (command: string): boolean => !/^(CLUSTER|KEYSPACE) /.test(command);
    return { node, commands: () => node.received.filter(isAboutData) };
  };
  const first = await start(0);
  return count === 1 ? [first] : [first, await start(1)];
}

async function openShell(addresses: readonly string[], k?: number, timeoutMs = 5_000): Promise<Shell> {
  const shell = await Shell.open({ connect: addresses.join(","), verbose: false, timeoutMs, watch: { k } });
  cleanups.push(() => shell.close());
  return shell;
}

/** stdout and stderr of a line in a pipe. */
async function run(shell: Shell, line: string): Promise<[string | undefined, string | undefined]> {
  const { out, err } = print(await shell.execute(line), { to: "pipe", json: false });
  return [out?.toString(), err];
}

test("a read that is refused while k replicas are down is shown as a replica has it, with the warning", async () => {
  let isStale = false;
  const [{ node, commands }] = await startNodes(1, (command) => {
    if (command.startsWith("CONSISTENCY")) {
      isStale = command === "CONSISTENCY READ stale";
      return "+OK\r\n";
    }
    return isStale ? VALUE : REFUSED;
  });
  const shell = await openShell([node.address, ...DOWN]);
  assert.deepEqual(await run(shell, "GET x"), ["v", WARNING]);
  assert.deepEqual(commands(), ["KV.GET x", "CONSISTENCY READ stale", "KV.GET x"]);
});

test("while k replicas are down no write is sent", async () => {
  const [{ node, commands }] = await startNodes(1, () => ":1\r\n");
  const shell = await openShell([node.address, ...DOWN]);
  for (const line of ["DELETE x", "DEL x y", "SET x 1", "FLUSHDB"]) {
    const [out, err] = await run(shell, line);
    assert.match(
      out ?? "",
      /^\(error\) CLUSTERDOWN \w+ is refused and nothing is changed: .*127.0.0.1:1, 127/,
    );
    assert.equal(err, WARNING);
  }
  assert.deepEqual(commands(), []);
  assert.deepEqual(await run(shell, "PING"), ["1", undefined]);
});

test("with fewer down, what is refused is asked for until it is answered, and nothing is said", async () => {
  let refusals = 2;
  const [{ node, commands }] = await startNodes(2, (command) => {
    refusals -= 1;
    if (refusals >= 0) return REFUSED;
    return command.startsWith("KV.GET") ? VALUE : ":1\r\n";
  });
  const shell = await openShell([node.address]);
  assert.deepEqual(await run(shell, "GET x"), ["v", undefined]);
  assert.deepEqual(commands(), ["KV.GET x", "KV.GET x", "KV.GET x"]);
  refusals = 1;
  assert.deepEqual(await run(shell, "DELETE x"), ["1", undefined]);
  refusals = Number.POSITIVE_INFINITY;
  const hasty = await openShell([node.address], undefined, 300);
  const [out, err] = await run(hasty, "GET x");
  assert.match(out ?? "", /^\(error\) CLUSTERDOWN/);
  assert.equal(err, undefined);
});

test("a k below the cluster's own warns of answers that are proven, and they are no others", async () => {
  const replies = new Map([
    ["KV.GET x", VALUE],
    ["KV.QUERY x.y", `*4\r\n${bulk("x")}:1\r\n${bulk("json")}${bulk("12")}`],
    ["COMPUTE 2*y WHERE y = QUERY x.y", bulk("24")],
    ["COMPUTE 1+1", bulk("2")],
  ]);
  const [{ node, commands }] = await startNodes(
    2,
    (command) => replies.get(command) ?? "-ERR unexpected\r\n",
  );
  const shell = await openShell([node.address], 1);
  assert.deepEqual(await run(shell, "GET x"), ["v", WARNING]);
  assert.deepEqual(await run(shell, "QUERY x.y"), ["x.y -> 12", WARNING]);
  assert.deepEqual(await run(shell, "COMPUTE 2*y WHERE y = QUERY x.y"), ["24", WARNING]);
  // Nothing of what is down is asked for.
  assert.deepEqual(await run(shell, "COMPUTE 1+1"), ["2", undefined]);
  assert.deepEqual(commands(), [...replies.keys()]);
});

test("members that are not listed are watched, too: one that is down, that hangs, and that comes back", async () => {
  let isHanging = false;
  const [{ node }, second] = await startNodes(
    2,
    () => VALUE,
    (i) => isHanging && i === 1,
  );
  const shell = await openShell([node.address]);
  assert.deepEqual(shell.watch?.down(), [`${DOWN[0]} is down: connection refused`]);
  assert.deepEqual(await run(shell, "GET x"), ["v", undefined]);
  isHanging = true;
  const isWarned = async (): Promise<boolean> => (await run(shell, "GET x"))[1] === WARNING;
  await waitFor("the warning while one hangs", isWarned);
  isHanging = false;
  await waitFor("no warning any more", async () => !(await isWarned()));
  await second?.node.stop();
  await waitFor("the warning again", isWarned);
});

test("servers of different clusters are named, for they would answer differently", async () => {
  const [first] = await startNodes(1, () => VALUE);
  const [second] = await startNodes(1, () => VALUE);
  const addresses = [first.node.address, second.node.address];
  await assert.rejects(openShell(addresses), {
    code: "WRONG_CLUSTER",
    message: `${addresses[0]} and ${addresses[1]} belong to different clusters`,
  });
  assert.deepEqual([...first.commands(), ...second.commands()], []);
});
