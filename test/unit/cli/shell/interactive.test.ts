import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { type TestContext, test } from "node:test";
import { History } from "../../../../src/cli/shell/history.js";
import { runInteractive } from "../../../../src/cli/shell/interactive.js";
import { Shell } from "../../../../src/cli/shell/shell.js";
import { startMemoryServer } from "../../../support/memory-server.js";
import { makeTempDir } from "../../../support/temp-dir.js";
import { waitFor } from "../../../support/wait.js";
import { ScriptedNode, SILENCE } from "../../client/scripted-node.js";

/** A shell at a terminal, of which one sees what is typed and what is shown. */
class Terminal {
  readonly #input = new PassThrough();
  readonly #output = new PassThrough();
  readonly ended: Promise<void>;
  #shown = "";

  constructor(shell: Shell, history: History, json = false) {
    this.#output.on("data", (chunk: Buffer) => {
      this.#shown += chunk.toString();
    });
    this.ended = runInteractive(shell, { input: this.#input, output: this.#output, json, history });
  }

  type(text: string): void {
    this.#input.write(text);
  }

  /** Waits until the terminal has shown this since the last call, and forgets it. */
  async sees(text: string): Promise<void> {
    await waitFor(`the terminal shows ${JSON.stringify(text)}`, () => this.#shown.includes(text));
    this.#shown = this.#shown.slice(this.#shown.indexOf(text) + text.length);
  }

  /** Since what was seen last. */
  get shown(): string {
    return this.#shown;
  }

  end(): void {
    this.#input.end();
  }
}

const noTrouble = (message: string): void => assert.fail(message);

async function openTerminal(t: TestContext, historyPath: string, address?: string): Promise<Terminal> {
  const server = await startMemoryServer();
  const shell = await Shell.open({ connect: address ?? server.address, verbose: false, timeoutMs: 1_000 });
  t.after(async () => {
    await shell.close();
    await server.stop();
  });
  const terminal = new Terminal(shell, new History(historyPath, noTrouble));
  await terminal.sees("> ");
  return terminal;
}

test("a line is carried out and its reply shown; lines typed ahead follow in order; exit leaves", async (t) => {
  const terminal = await openTerminal(t, join(makeTempDir(t), "history"));
  terminal.type("set a 1\rincr a\rincr a\rexit\rincr a\r");
  await terminal.sees("OK\n");
  await terminal.sees("(integer) 2\n");
  await terminal.sees("(integer) 3\n");
  await terminal.ended;
  assert.doesNotMatch(terminal.shown, /integer/);
});

test("Ctrl-C clears the line, Ctrl-D leaves", async (t) => {
  const terminal = await openTerminal(t, join(makeTempDir(t), "history"));
  terminal.type("flushdb now");
  await terminal.sees("flushdb now");
  terminal.type("\u0003");
  await terminal.sees("^C\n");
  terminal.type("echo here\r");
  await terminal.sees('"here"\n');
  terminal.type("\u0004");
  await terminal.ended;
});

test("Ctrl-C stops waiting for an answer that does not come, and says what that means", async (t) => {
  const node = await ScriptedNode.start(() => SILENCE);
  t.after(() => node.stop());
  const terminal = await openTerminal(t, join(makeTempDir(t), "history"), node.address);
  terminal.type("set a 1\r");
  await waitFor("the command is on its way", () => node.received.length === 1);
  terminal.type("\u0003");
  await terminal.sees("may or may not have been carried out");
  await terminal.sees("> ");
  terminal.end();
  await terminal.ended;
});

test("Tab completes the only key that fits", async (t) => {
  const terminal = await openTerminal(t, join(makeTempDir(t), "history"));
  terminal.type("set city:vila v\r");
  await terminal.sees("OK\n");
  terminal.type("get ci\t");
  await terminal.sees("ty:vila");
  terminal.type("\r");
  await terminal.sees('"v"\n');
  terminal.end();
  await terminal.ended;
});

test("the prompt names the keyspace", async (t) => {
  const terminal = await openTerminal(t, join(makeTempDir(t), "history"));
  terminal.type("select k1\r");
  await terminal.sees("k1> ");
  terminal.end();
  await terminal.ended;
});

test("lines are kept for the next time, readable by their owner alone, passwords left out", async (t) => {
  const path = join(makeTempDir(t), "history");
  const first = await openTerminal(t, path);
  first.type("echo one\r  \rAUTH user secret\rhello 3 auth user secret\recho two\r");
  await first.sees('"two"');
  first.end();
  await first.ended;
  assert.equal(readFileSync(path, "utf8"), "echo one\necho two\n");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const second = await openTerminal(t, path);
  // Arrow up, twice.
  second.type("\u001b[A\u001b[A\r");
  await second.sees('"one"\n');
  second.end();
  await second.ended;
});

test("a history that cannot be written is said once, and the shell goes on", async () => {
  const troubles: string[] = [];
  const history = new History("/proc/no-such-directory/history", (message) => troubles.push(message));
  assert.deepEqual(await history.load(), []);
  await history.add("get a");
  await history.add("get b");
  assert.equal(troubles.length, 1);
  assert.match(troubles[0], /^no history: /);
});
