import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { Progress } from "../../../../src/cli/load/progress.js";
import type { Source } from "../../../../src/cli/load/source.js";
import { waitFor } from "../../../support/wait.js";

/** A terminal of 80 columns that keeps what is written to it. */
class Terminal extends Writable {
  readonly isTTY: boolean;
  readonly columns = 80;
  written = "";

  constructor(isTTY = true) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += chunk.toString();
    done();
  }

  /** The lines that were drawn, one over the other. */
  get drawn(): string[] {
    return stripVTControlCharacters(this.written)
      .split(/[\r\n]/)
      .map((line) => line.trim())
      .filter((line) => line !== "");
  }

  asStream(): NodeJS.WriteStream {
    return this as unknown as NodeJS.WriteStream;
  }
}

class FakeSource implements Source {
  readonly name = "people.txt";
  readonly totalBytes: number | undefined;
  /** How often the bar asked. */
  asked = 0;
  #readBytes = 0;

  constructor(totalBytes?: number) {
    this.totalBytes = totalBytes;
  }

  get readBytes(): number {
    this.asked += 1;
    return this.#readBytes;
  }

  set readBytes(bytes: number) {
    this.#readBytes = bytes;
  }

  async *chunks(): AsyncIterable<Buffer> {}

  stop(): void {}
}

test("the bar shows how much was read and how many records are stored, and is gone at the end", async () => {
  const terminal = new Terminal();
  const source = new FakeSource(1_000);
  let records = 0;
  const progress = await Progress.start(source, () => records, terminal.asStream());
  assert.ok(progress !== undefined);
  assert.match(terminal.drawn.at(-1) ?? "", / 0% · 0 records/);
  source.readBytes = 250;
  records = 1_234;
  await waitFor("a quarter is shown", () =>
    / 25% · 1,234 records · [\d,]+\/s · .+ left$/.test(terminal.drawn.at(-1) ?? ""),
  );
  source.readBytes = 1_000;
  records = 5_000;
  progress.stop();
  assert.match(terminal.drawn.at(-1) ?? "", / 100% · 5,000 records/);
  // The cursor is hidden meanwhile, and what is printed next begins on the bar's line, wiped.
  const hidden = terminal.written.indexOf("\u001B[?25l");
  const shown = terminal.written.lastIndexOf("\u001B[?25h");
  assert.ok(hidden >= 0 && shown > hidden, "the cursor is back");
  const afterBar = terminal.written.slice(terminal.written.lastIndexOf("100%"));
  assert.doesNotMatch(afterBar, /\n/);
});

test("the bar is drawn ten times a second, and no more after its end", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const terminal = new Terminal();
  const source = new FakeSource(10);
  const progress = await Progress.start(source, () => 1, terminal.asStream());
  source.readBytes = 5;
  t.mock.timers.tick(99);
  assert.doesNotMatch(terminal.drawn.join("\n"), / 50%/);
  t.mock.timers.tick(1);
  progress?.stop();
  assert.match(terminal.drawn.join("\n"), / 50%/);
  const before = [source.asked, terminal.written];
  t.mock.timers.tick(1_000);
  assert.deepEqual([source.asked, terminal.written], before);
});

test("there is none where nobody watches, nor for what has no known end", async () => {
  const file = new Terminal(false);
  assert.equal(await Progress.start(new FakeSource(10), () => 0, file.asStream()), undefined);
  const terminal = new Terminal();
  assert.equal(await Progress.start(new FakeSource(), () => 0, terminal.asStream()), undefined);
  assert.equal(await Progress.start(new FakeSource(0), () => 0, terminal.asStream()), undefined);
  assert.equal(file.written + terminal.written, "");
});
