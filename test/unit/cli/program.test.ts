import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { splitAddresses } from "../../../src/cli/connection.js";
import { describeFailure, ExitError } from "../../../src/cli/failure.js";
import { buildProgram } from "../../../src/cli/program.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { minikeyPath } from "../../support/repository.js";

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const minikey = (...args: string[]): Ended =>
  spawnSync(process.execPath, [minikeyPath, ...args], { encoding: "utf8" });

test("wrong usage ends with status 2 and a suggestion, on stderr", () => {
  for (const [args, suggestion] of [
    [["shel"], /unknown command 'shel'\n\(Did you mean shell\?\)/],
    [["shell", "--conect", "x"], /unknown option '--conect'\n\(Did you mean --connect\?\)/],
    [["cluster", "--nodes", "two"], /Expected a whole number from 1/],
    [["load"], /missing required argument 'file'/],
    [["keyspace", "create", "a", "--storage", "tape"], /Allowed choices are disk, memory/],
    [["status", "too", "many"], /too many arguments/],
    [["start", "--resp-port", "x"], /--resp-port/],
    [[], /Usage: minikey/],
  ] as const) {
    const { status, stdout, stderr } = minikey(...args);
    assert.equal(status, 2, args.join(" "));
    assert.equal(stdout, "", args.join(" "));
    assert.match(stderr, suggestion);
  }
});

test("help and version end with status 0, on stdout", () => {
  const { status, stdout, stderr } = minikey("--help");
  assert.deepEqual([status, stderr], [0, ""]);
  for (const name of ["start", "cluster", "shell", "load", "status", "keyspace"])
    assert.match(stdout, new RegExp(` ${name} `));
  assert.match(minikey("--version").stdout, /^\d+\.\d+\.\d+\n$/);
  assert.match(minikey("help", "load").stdout, /Usage: minikey load/);
});

test("a command that nobody reads any more ends quietly, and one whose output finds no room says so", (t) => {
  const command = `"${process.execPath}" "${minikeyPath}"`;
  const shell = (text: string): Ended => spawnSync("sh", ["-c", text], { encoding: "utf8" });
  // `true` has long ended when there is something to read.
  const unread = shell(`{ ${command} help load; echo "status $?" >&2; } | true`);
  assert.equal(unread.stderr, "status 0\n");
  if (!existsSync("/dev/full")) {
    t.skip("this system has no /dev/full");
    return;
  }
  const full = shell(`${command} help load > /dev/full`);
  assert.deepEqual([full.status, full.stderr], [1, "minikey: cannot write the output: the disk is full\n"]);
});

test("a data directory that is a file is named, and the node does not start", () => {
  const { status, stderr } = minikey("start", "--data", minikeyPath, "--resp-port", "0", "--http-port", "0");
  assert.deepEqual(
    [status, stderr],
    [2, `minikey: cannot make the data directory ${minikeyPath}: a file of that name is in the way\n`],
  );
});

test("every subcommand describes itself and its flags", () => {
  const visit = (command: ReturnType<typeof buildProgram>): void => {
    assert.notEqual(command.description(), "", command.name());
    for (const option of command.options) {
      if (!option.hidden) assert.notEqual(option.description, "", `${command.name()} ${option.flags}`);
    }
    command.commands.forEach(visit);
  };
  visit(buildProgram());
});

test("a failure is one line and the status of its code; a bug shows its stack", () => {
  assert.deepEqual(describeFailure(new ExitError("no such file")), { line: "no such file", exitStatus: 1 });
  assert.deepEqual(describeFailure(new MinikeyError("BAD_CONFIG", "host: expected")), {
    line: "host: expected",
    exitStatus: 2,
  });
  assert.match(
    describeFailure(new TypeError("x is not a function")).line,
    /TypeError: x is not a function\n +at /,
  );
});

test("bare ports stand for more of the same host", () => {
  assert.deepEqual(splitAddresses("127.0.0.1:6380,6381 6382"), [
    "127.0.0.1:6380",
    "127.0.0.1:6381",
    "127.0.0.1:6382",
  ]);
  assert.deepEqual(splitAddresses("a:1,2,b:3,4"), ["a:1", "a:2", "b:3", "b:4"]);
  assert.throws(() => splitAddresses(" , "), { exitStatus: 2 });
});
