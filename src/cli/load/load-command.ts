/** `minikey load FILE`: reads records, writes them to the cluster, and says what became of them. */
import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { openReadyChannel, splitAddresses } from "../connection.js";
import { ExitError } from "../failure.js";
import { onStopSignals } from "../stop-signals.js";
import { BadLines } from "./bad-lines.js";
import { detectFormat, type FormatName, formatNamed, isBlank, type RecordFormat } from "./formats.js";
import { type Line, LineSplitter } from "./line-splitter.js";
import { Loader } from "./loader.js";
import { Progress } from "./progress.js";
import { RecordParser } from "./records.js";
import { Routes } from "./routes.js";
import { openSource, type Source } from "./source.js";

export interface LoadFlags {
  readonly connect: string;
  /** `auto` unless said otherwise. */
  readonly format?: FormatName;
  readonly keyspace?: string;
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly fromLine: number;
  /** How long one record may take: longer than an election, or a node's restart. */
  readonly timeout: number;
  /** Where the summary goes; stdout unless said otherwise. */
  readonly summaryTo?: Writable;
}

/** A value of 8 MiB, all of it escapes, and its key. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;
/** Several batches for each of a dozen partitions. */
const BYTES_ON_THEIR_WAY_MAX = 8 * 1024 * 1024;

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const endNow = (): never => process.exit(1);

const note = (line: string): void => void process.stderr.write(`${line}\n`);

export async function runLoad(path: string, flags: LoadFlags): Promise<void> {
  const source = await openSource(path, process.stdin);
  if (flags.strict !== true) {
    await load(source, flags);
    return;
  }
  await withReadableTwice(source, async (twice) => {
    await endedBySignals(async () => await checkAll(twice, flags));
    await load(twice, flags);
  });
}

/** Before anything is written there is nothing to finish: a signal ends the command. */
async function endedBySignals(work: () => Promise<void>): Promise<void> {
  const noMoreSignals = onStopSignals({ signals: STOP_SIGNALS, stop: endNow, stopAtOnce: endNow });
  try {
    await work();
  } finally {
    noMoreSignals();
  }
}

/** Standard input is kept in a temporary file meanwhile: it can be read only once. */
async function withReadableTwice(source: Source, use: (source: Source) => Promise<void>): Promise<void> {
  if (source.totalBytes !== undefined) {
    await use(source);
    return;
  }
  // At once, so that no signal comes between the directory and what removes it.
  const directory = mkdtempSync(join(tmpdir(), "minikey-load-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const copy = join(directory, "input");
    await endedBySignals(async () => {
      await pipeline(Readable.from(source.chunks()), createWriteStream(copy, { mode: 0o600 }));
    });
    await use(await openSource(copy, process.stdin, source.name));
  } finally {
    process.off("exit", remove);
    remove();
  }
}

/** Fails when any line is no record; nothing has been written then. */
async function checkAll(source: Source, flags: LoadFlags): Promise<void> {
  const badLines = new BadLines(source.name, note);
  const parser = new RecordParser();
  let format = formatNamed(flags.format);
  for await (const line of linesByChunk(source)) {
    while (line.next()) {
      format ??= formatOf(line);
      if (parseLine(parser, line, format) === "bad") badLines.report(parser.bad);
    }
  }
  badLines.summarize();
  if (badLines.count > 0) throw new ExitError("nothing was written");
}

async function load(source: Source, flags: LoadFlags): Promise<void> {
  const options = {
    timeoutMs: flags.timeout,
    ...(flags.keyspace === undefined ? {} : { keyspace: flags.keyspace }),
  };
  const channel = await openReadyChannel(flags.connect, options);
  const routes = await Routes.discover(channel, splitAddresses(flags.connect), options);
  const run = new LoadRun(source, flags, routes);
  const noMoreSignals = onStopSignals({
    signals: STOP_SIGNALS,
    stop: () => run.interrupt(),
    stopAtOnce: endNow,
  });
  try {
    await run.start();
  } finally {
    noMoreSignals();
    await Promise.all([routes.close(), channel.close()]);
  }
}

class LoadRun {
  readonly #source: Source;
  readonly #flags: LoadFlags;
  readonly #loader: Loader;
  readonly #badLines: BadLines;
  readonly #parser = new RecordParser();
  readonly #startMs = performance.now();
  #format: RecordFormat | undefined;
  /** The last line that was read and dealt with. */
  #lastLine = 0;
  #isInterrupted = false;
  /** Ends the wait for more lines. */
  #wake: () => void = () => undefined;

  constructor(source: Source, flags: LoadFlags, routes: Routes) {
    this.#source = source;
    this.#flags = flags;
    this.#format = formatNamed(flags.format);
    this.#badLines = new BadLines(source.name, note);
    this.#loader = new Loader({
      bytesMax: BYTES_ON_THEIR_WAY_MAX,
      timeoutMs: flags.timeout,
      partitionOfSlot: routes.partitionOfSlot,
      channels: routes.channels,
      onRefused: (line, reason) => this.#badLines.report({ line, column: 0, reason }),
    });
  }

  /** Reads no more, waits for what is on its way. */
  interrupt(): void {
    this.#isInterrupted = true;
    this.#wake();
  }

  async start(): Promise<void> {
    const stored = (): number => this.#loader.counts.created + this.#loader.counts.replaced;
    const progress = await Progress.start(this.#source, stored, process.stderr);
    try {
      await this.#readAll();
    } catch (error) {
      if (!(error instanceof ExitError)) throw error;
      note(`minikey: ${error.message}`);
      process.exitCode = 1;
    } finally {
      await this.#loader.idle();
      progress?.stop();
    }
    this.#report();
  }

  async #readAll(): Promise<void> {
    const chunks = linesByChunk(this.#source)[Symbol.asyncIterator]();
    try {
      let lines = await this.#nextOf(chunks);
      while (lines !== undefined && (await this.#takeAll(lines))) lines = await this.#nextOf(chunks);
    } finally {
      this.#source.stop();
    }
  }

  /** The lines of one more chunk; undefined at the end, and when interrupted while waiting for it. */
  async #nextOf(chunks: AsyncIterator<LineSplitter>): Promise<LineSplitter | undefined> {
    return await new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      chunks.next().then(({ done, value }) => resolve(done === true ? undefined : value), reject);
    });
  }

  /** False when no more are to be read. */
  async #takeAll(line: LineSplitter): Promise<boolean> {
    while (line.next()) {
      if (this.#isInterrupted || this.#loader.failure !== undefined) return false;
      // Lines that are left out count for the format, too: `--from-line` may name a bad one.
      this.#format ??= formatOf(line);
      if (line.number >= this.#flags.fromLine) this.#take(line);
      this.#lastLine = line.number;
      if (!this.#loader.hasRoom) await this.#loader.room();
    }
    return !this.#isInterrupted;
  }

  #take(line: Line): void {
    const found = parseLine(this.#parser, line, this.#format);
    if (found === "record") this.#loader.add(this.#parser);
    else if (found === "bad") this.#badLines.report(this.#parser.bad);
  }

  #report(): void {
    this.#badLines.summarize();
    const { created, replaced } = this.#loader.counts;
    const { failure } = this.#loader;
    const seconds = (performance.now() - this.#startMs) / 1_000;
    const loaded = created + replaced;
    const failed = this.#badLines.count;
    const result = {
      loaded,
      created,
      replaced,
      failed,
      lastLine: this.#lastLine,
      seconds: Math.round(seconds * 1_000) / 1_000,
      recordsPerSecond: Math.round(loaded / Math.max(seconds, 0.001)),
    };
    const { json, summaryTo = process.stdout } = this.#flags;
    summaryTo.write(`${json === true ? JSON.stringify(result) : summaryOf(result)}\n`);
    if (failed > 0) process.exitCode = 1;
    if (failure !== undefined) {
      throw new ExitError(
        `stopped at line ${failure.line}: ${failure.error.message}. Every line before it is stored; ` +
          `go on with --from-line ${failure.line}`,
      );
    }
    if (this.#isInterrupted) {
      const next = this.#lastLine + 1;
      throw new ExitError(
        `interrupted after line ${this.#lastLine}, which is stored as are all before it; go on with --from-line ${next}`,
      );
    }
  }
}

interface LoadResult {
  readonly loaded: number;
  readonly replaced: number;
  readonly failed: number;
  readonly seconds: number;
  readonly recordsPerSecond: number;
}

const count = (value: number): string => value.toLocaleString("en");

function summaryOf(result: LoadResult): string {
  return (
    `loaded ${count(result.loaded)} record${result.loaded === 1 ? "" : "s"} ` +
    `(${count(result.replaced)} replaced, ${count(result.failed)} failed) ` +
    `in ${result.seconds.toFixed(1)} s, ${count(result.recordsPerSecond)} a second`
  );
}

/** The format that the first line with anything in it is in. */
function formatOf(line: Line): RecordFormat | undefined {
  return line.isTooLong || isBlank(line) ? undefined : detectFormat(line);
}

/** Before there is a format, lines are blank, or too long in either. */
const parseLine = (parser: RecordParser, line: Line, format: RecordFormat | undefined) =>
  parser.parse(line, format ?? "lines");

/** The cursor over a source's lines, once for every chunk: go on with `next` until it is false. */
async function* linesByChunk(source: Source): AsyncGenerator<LineSplitter, void, undefined> {
  const lines = new LineSplitter(LINE_BYTES_MAX);
  for await (const chunk of source.chunks()) {
    lines.push(chunk);
    yield lines;
  }
  lines.finish();
  yield lines;
}
