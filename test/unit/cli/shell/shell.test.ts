import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { afterEach, test } from "node:test";
import { runLines, runOnce } from "../../../../src/cli/shell/batch.js";
import { complete } from "../../../../src/cli/shell/complete.js";
import { print } from "../../../../src/cli/shell/result.js";
import { Shell, type ShellOptions } from "../../../../src/cli/shell/shell.js";
import { type MemoryServer, startMemoryServer } from "../../../support/memory-server.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function startServer(): Promise<MemoryServer> {
  const server = await startMemoryServer();
  cleanups.push(() => server.stop());
  return server;
}

async function openShell(addresses: string, options: Partial<ShellOptions> = {}): Promise<Shell> {
  const shell = await Shell.open({ connect: addresses, verbose: false, timeoutMs: 5_000, ...options });
  cleanups.push(() => shell.close());
  return shell;
}

/** What a terminal would show. */
async function run(shell: Shell, line: string): Promise<string> {
  const result = await shell.execute(line);
  return String(print(result, { to: "terminal", json: false }).out ?? `<${result.kind}>`);
}

test("commands are answered in any case, with quoted arguments", async () => {
  const shell = await openShell((await startServer()).address);
  assert.equal(await run(shell, 'put mykey "my value"'), "OK");
  assert.equal(await run(shell, "GET mykey"), '"my value"');
  assert.equal(await run(shell, "Delete mykey"), "(integer) 1");
  assert.equal(await run(shell, "get mykey"), "NOT FOUND");
  assert.equal(await run(shell, "getdel mykey"), "(nil)");
  assert.match(await run(shell, "gte mykey"), /^\(error\) ERR unknown command 'gte'/);
  assert.match(await run(shell, "get"), /^\(error\) ERR wrong number of arguments/);
  assert.match(await run(shell, 'get "k'), /^\(error\) ERR unbalanced quotes/);
  assert.equal(await run(shell, "  "), "<nothing>");
  assert.equal(await run(shell, "exit"), "<exit>");
  assert.equal(await run(shell, "QUIT"), "<exit>");
});

test("help names every command that clients may send, and describes one", async () => {
  const shell = await openShell((await startServer()).address);
  const overview = await run(shell, "help");
  for (const name of ["GET", "SCAN", "KEYSPACE", "CONSISTENCY", "EXIT"]) {
    assert.match(overview, new RegExp(`\\b${name}\\b`), name);
  }
  assert.doesNotMatch(overview, /SCANPART/);
  assert.match(await run(shell, "help get"), /^GET: /);
  assert.match(await run(shell, "help nope"), /no such command: nope/);
});

test("a keyspace is selected by name or number, and one that does not exist changes nothing", async () => {
  const shell = await openShell((await startServer()).address);
  assert.match(await run(shell, "keyspace create cart"), /^OK|^\(integer\)/);
  assert.equal(await run(shell, "select cart"), "OK");
  assert.equal(shell.keyspace, "cart");
  await run(shell, "set k in-cart");
  assert.match(await run(shell, "select nope"), /no such keyspace/);
  assert.equal(await run(shell, "get k"), '"in-cart"');
  assert.equal(await run(shell, "select 0"), "OK");
  assert.equal(shell.keyspace, undefined);
  assert.equal(await run(shell, "get k"), "NOT FOUND");
});

test("keyspace and consistency outlive the node that the shell was connected to", async () => {
  const first = await startMemoryServer();
  const second = await startMemoryServer(0, first.database);
  cleanups.push(() => second.stop());
  const shell = await openShell(`${first.address},${second.address}`);
  await run(shell, "keyspace create cart");
  await run(shell, "select cart");
  await run(shell, "set k v");
  assert.equal(await run(shell, "consistency read stale"), "OK");
  await first.stop();
  assert.equal(await run(shell, "get k"), '"v"');
  assert.equal(await run(shell, "consistency read"), '"stale"');
});

test("-v shows each replica: OK after a write, the value after a read, DOWN when it does not answer", async () => {
  const server = await startServer();
  const shell = await openShell(server.address, { verbose: true });
  assert.equal(await run(shell, "PUT mykey myvalue"), "[n1] OK");
  assert.equal(await run(shell, "GET mykey"), "[n1] VALUE myvalue");
  assert.equal(await run(shell, "GET nokey"), "[n1] NOT FOUND");
  assert.equal(await run(shell, "STRLEN mykey"), "[n1] (integer) 7");
  assert.equal(await run(shell, "DEL mykey"), "[n1] OK");
  assert.match(await run(shell, "INCRBY mykey x"), /^\(error\) ERR value is not an integer/);
  assert.equal(await run(shell, "DBSIZE"), "(integer) 0");
  server.database.respAddress = "127.0.0.1:1";
  assert.equal(await run(shell, "PUT mykey again"), "[n1] DOWN");
});

test("nothing listening: one line names every address and says how to start a cluster", async () => {
  await assert.rejects(openShell("127.0.0.1:1,2"), {
    message:
      "no node answers (127.0.0.1:1: connection refused; 127.0.0.1:2: connection refused). " +
      "Is the cluster running? `npm start` starts one on this machine",
    exitStatus: 1,
  });
});

interface Printed {
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  readonly texts: () => { readonly out: string; readonly err: string };
}

function capture(): Printed {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const texts = (): { out: string; err: string } => ({
    out: String(stdout.read() ?? ""),
    err: String(stderr.read() ?? ""),
  });
  return { stdout, stderr, texts };
}

test("-c prints the value alone; an error goes to stderr with status 1", async () => {
  const shell = await openShell((await startServer()).address);
  await run(shell, "KV.PUT doc json any 0 0 '{\"a\":1}'");
  const printed = capture();
  assert.equal(await runOnce(shell, "GET doc", { ...printed, json: false }), 0);
  assert.deepEqual(printed.texts(), { out: "doc -> [ a -> 1 ]\n", err: "" });
  assert.equal(await runOnce(shell, "GET doc", { ...printed, json: true }), 0);
  assert.deepEqual(printed.texts(), { out: '{"a":1}\n', err: "" });
  await run(shell, "SET hello world");
  assert.equal(await runOnce(shell, "GET hello", { ...printed, json: false }), 0);
  assert.deepEqual(printed.texts(), { out: "world\n", err: "" });
  assert.equal(await runOnce(shell, "INCR doc", { ...printed, json: false }), 1);
  const { out, err } = printed.texts();
  assert.equal(out, "");
  assert.match(err, /^minikey: .*wrong kind of value\n$/);
  assert.equal(await runOnce(shell, "INCR doc", { ...printed, json: true }), 1);
  assert.equal(JSON.parse(printed.texts().out).code, "WRONG_TYPE");
});

test("a document is shown in the notation of records, bytes that look like one as they are", async () => {
  const shell = await openShell((await startServer()).address);
  await run(shell, 'KV.PUT person1 json any 0 0 \'{"name":"John","age":22,"tags":["a",{"b":null}]}\'');
  assert.equal(
    await run(shell, "get person1"),
    "person1 -> [ name -> John | age -> 22 | tags -> [ a, [ b -> null ] ] ]",
  );
  await run(shell, 'KV.PUT "a key" json any 0 0 1.50');
  assert.equal(await run(shell, 'GET "a key"'), "a key -> 1.50");
  await run(shell, "SET text '{\"a\":1}'");
  assert.equal(await run(shell, "GET text"), '"{\\"a\\":1}"');
  const verbose = await openShell((await startServer()).address, { verbose: true });
  await run(verbose, 'KV.PUT doc json any 0 0 \'{"a":"b"}\'');
  assert.equal(await run(verbose, "GET doc"), "[n1] VALUE [ a -> b ]");
});

test("QUERY takes the rest of the line as the path; a path to a whole value is answered as GET", async () => {
  const shell = await openShell((await startServer()).address);
  await run(shell, `KV.PUT "a b.c" json any 0 0 '{"d":{"e":[1,"two"]}}'`);
  await run(shell, "SET hello world");
  assert.equal(await run(shell, "query   a b.c.d  "), "a b.c.d -> [ e -> [ 1, two ] ]");
  assert.equal(await run(shell, 'QUERY "a b.c".d.e.1'), '"a b.c".d.e.1 -> two');
  assert.equal(await run(shell, 'QUERY "a b.c"'), "a b.c -> [ d -> [ e -> [ 1, two ] ] ]");
  assert.equal(await run(shell, "QUERY hello"), '"world"');
  assert.equal(await run(shell, "QUERY hello.x"), 'NOT FOUND\n(hello is text and has no field "x")');
  assert.match(await run(shell, 'QUERY "a'), /^\(error\) ERR path, column 1: the quotes are not closed/);
  assert.match(await run(shell, "QUERY"), /^\(error\) ERR the path is empty/);
});

test("COMPUTE takes the rest of the line; quotes are the paths' own", async () => {
  const shell = await openShell((await startServer()).address);
  await run(shell, `KV.PUT "a b" json any 0 0 '{"c":12,"d":"text"}'`);
  assert.equal(await run(shell, 'compute 2 * (x + 3) WHERE x = QUERY "a b".c'), "30");
  assert.equal(
    await run(shell, `COMPUTE 'cos(x) - 1' where x=query "a b".c AND y = QUERY "a b".c`),
    "(error) ERR y is bound, but the formula does not use it",
  );
  assert.equal(await run(shell, "COMPUTE 2^0.5"), "1.4142135623730951");
  assert.match(
    await run(shell, 'COMPUTE x WHERE x = QUERY "a b".nr'),
    /^\(error\) NOTFOUND x = QUERY "a b".nr: /,
  );
  const printed = capture();
  assert.equal(await runOnce(shell, "COMPUTE 1/8", { ...printed, json: true }), 0);
  assert.deepEqual(printed.texts(), { out: "0.125\n", err: "" });
  assert.equal(await runOnce(shell, 'COMPUTE x WHERE x = QUERY "a b".d', { ...printed, json: false }), 1);
  assert.match(printed.texts().err, /^minikey: x = QUERY "a b".d: expected a number, got text/);
});

test("a key that is not there is NOT FOUND with status 1, null as JSON", async () => {
  const shell = await openShell((await startServer()).address);
  const printed = capture();
  assert.equal(await runOnce(shell, "GET nokey", { ...printed, json: false }), 1);
  assert.deepEqual(printed.texts(), { out: "NOT FOUND\n", err: "" });
  assert.equal(await runOnce(shell, "GET nokey", { ...printed, json: true }), 1);
  assert.deepEqual(printed.texts(), { out: "null\n", err: "" });
  const input = Readable.from(["get nokey\nset nokey v\nget nokey\n"]);
  assert.equal(await runLines(shell, input, { ...printed, json: false }), 1);
  assert.deepEqual(printed.texts(), { out: "NOT FOUND\nOK\nv\n", err: "" });
});

test("piped lines are answered in order; an error is a result and the status is 1", async () => {
  const shell = await openShell((await startServer()).address);
  const printed = capture();
  const input = Readable.from(["set a 1\r\nincr a\nnope\nget ", "a\n\nexit\nget a\n"]);
  assert.equal(await runLines(shell, input, { ...printed, json: false }), 1);
  assert.equal(
    printed.texts().out,
    "OK\n2\n(error) ERR unknown command 'nope', with args beginning with: \n2\n",
  );
});

test("Tab completes commands in the case typed, and key names by their prefix, quoted where needed", async () => {
  const shell = await openShell((await startServer()).address);
  for (const key of ["city:a", "city:b c", "[x]1", "xx"]) await run(shell, `set "${key}" v`);
  assert.deepEqual(await complete(shell, "getr"), [["getrange "], "getr"]);
  assert.deepEqual(await complete(shell, "GETR"), [["GETRANGE "], "GETR"]);
  assert.deepEqual(await complete(shell, "get city:"), [["city:a", '"city:b c"'], "city:"]);
  assert.deepEqual(await complete(shell, 'get "city:b '), [['"city:b c"'], '"city:b ']);
  assert.deepEqual(await complete(shell, "get [x]"), [["[x]1"], "[x]"]);
  assert.deepEqual(await complete(shell, "help getr"), [["getrange "], "getr"]);
});
